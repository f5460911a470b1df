"""One spelling for the many ways in which the same words are written: what a leak check compares.

`spelt` unifies characters: width, case, dashes, apostrophes, spaces, invisible characters. `spelt_words` goes on to words: marks
and strokes fall away (é, ø, ß), punctuation parts words, "&" is "and", a possessive 's is left out; every character of a script
written without spaces is a word of its own; katakana becomes hiragana, old and variant kanji the common ones, 々 what it
repeats, ヴ the row of バ, the ヶ of place names が, and the long mark at the end of a loan word of four characters or more is
left out (JIS Z 8301 once asked for it, newspapers did not).

The tables work character by character (NFKC, then case folding), so that one text can be rewritten untraced, in C, and another
traced, with the same result.
"""

from __future__ import annotations

import re
import unicodedata

from vestige.text import is_unspaced
from vestige.traced import Traced

_JAMO = "[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+"
_COMPOSE = re.compile(f".[\u3099\u309a]|{_JAMO}")
_KANJI = "[\u3400-\u9fff\uf900-\ufaff]"
# Forms with boxes part their letters by spaces, so a space may stand inside what the next five replace.
_REPEATED = re.compile(rf"({_KANJI})\s*々")
_SMALL_KE = re.compile(rf"(?<={_KANJI})\s?[ヶヵケ](?=\s?{_KANJI})")
_LONG_MARK = re.compile(r"(?<=[ァ-ヺー]{3})ー(?!\s*[ァ-ヺー])")
_LONG_MARK_APART = re.compile("([ァ-ヺー](?: [ァ-ヺー]){2,}) ー(?! ?[ァ-ヺー])")
_VU = re.compile(r"[ヴゔ](?:\s*([ァィェォぁぃぇぉ]))?")
_VU_ROW = dict(zip([None, *"ァィェォぁぃぇぉ"], "ブバビベボばびべぼ", strict=True))
_POSSESSIVE = re.compile(r"'s(?!\w)")
_AMPERSAND = re.compile("&")
# WikiText parts the marks inside words and numbers: "1 @,@ 000 kilo @-@ metres".
_SET_APART = re.compile(r" @([-.,])@ ")

_STROKES = dict(zip("øłđħŧıæœþðŋ", ("o", "l", "d", "h", "t", "i", "ae", "oe", "th", "d", "n"), strict=True))
_APOSTROPHES = "’‘ʼ´′ʹʻ＇"
_DASHES = "‐‑‒–—―−﹣－"
# Old and variant kanji, each before the common one: 旧字体 of the jōyō list, and variants usual in names.
_VARIANTS = (
    "亞亜惡悪壓圧圍囲爲為醫医壹壱稻稲飮飲隱隠營営榮栄衞衛驛駅圓円鹽塩緣縁艷艶應応歐欧毆殴櫻桜奧奥橫横溫温穩穏假仮價価畫画會会壞壊懷懐"
    "繪絵槪概擴拡殼殻覺覚學学嶽岳樂楽勸勧卷巻寬寛歡歓罐缶觀観閒間關関陷陥巖巌顏顔歸帰氣気龜亀僞偽戲戯犧犠舊旧據拠擧挙峽峡挾挟狹狭曉暁"
    "區区驅駆勳勲薰薫徑径惠恵溪渓經経繼継莖茎螢蛍輕軽鷄鶏藝芸缺欠儉倹劍剣圈圏檢検權権獻献縣県險険顯顕驗験嚴厳吳呉娛娯效効廣広恆恒鑛鉱"
    "號号國国黑黒濟済碎砕齋斎劑剤册冊雜雑參参慘惨棧桟蠶蚕贊賛殘残絲糸齒歯兒児辭辞濕湿實実舍舎寫写釋釈壽寿收収從従澁渋獸獣縱縦肅粛處処"
    "敍叙奬奨將将燒焼稱称證証乘乗剩剰壤壌孃嬢條条淨浄狀状疊畳穰穣讓譲釀醸囑嘱觸触寢寝愼慎晉晋眞真盡尽圖図粹粋醉酔隨随髓髄數数樞枢瀨瀬"
    "聲声靜静齊斉攝摂竊窃專専戰戦淺浅潛潜纖繊踐践錢銭禪禅雙双壯壮搜捜插挿爭争總総聰聡莊荘裝装騷騒臟臓藏蔵屬属續続墮堕體体對対帶帯滯滞"
    "臺台瀧滝擇択澤沢單単擔担膽胆團団彈弾斷断癡痴遲遅晝昼蟲虫鑄鋳廳庁聽聴鎭鎮遞逓鐵鉄轉転點点傳伝黨党盜盗燈灯當当鬪闘德徳獨独讀読屆届"
    "繩縄貳弐惱悩腦脳霸覇廢廃拜拝賣売麥麦發発髮髪拔抜蠻蛮祕秘濱浜濵浜拂払佛仏竝並變変邊辺邉辺辨弁瓣弁辯弁舖舗穗穂寶宝萠萌襃褒豐豊沒没"
    "飜翻槇槙萬万滿満麵麺默黙餠餅歷歴曆暦戾戻彌弥藥薬譯訳豫予餘余與与譽誉搖揺樣様謠謡遙遥來来賴頼亂乱覽覧龍竜兩両獵猟綠緑鄰隣凜凛壘塁"
    "淚涙勵励禮礼隸隷靈霊齡齢戀恋爐炉勞労郞郎樓楼錄録灣湾亙亘灌潅髙高﨑崎嵜崎嶋島嶌島桒桑冨富淵渕峯峰舘館栁柳凉涼曻昇𠮷吉槗橋塚塚姬姫祿禄"
    "鷗鴎槌槌瑤瑶堯尭渚渚逸逸猪猪"
)
_COMMON_KANJI = {old: new for old, new in zip(_VARIANTS[::2], _VARIANTS[1::2], strict=True) if old != new}


class _Characters(dict[int, str]):
    """A table that works out each character the first time it is met."""

    def __missing__(self, code: int) -> str:
        self[code] = _character(chr(code))
        return self[code]


class _Words(dict[int, str]):
    def __missing__(self, code: int) -> str:
        self[code] = _word_character(chr(code))
        return self[code]


def _character(c: str) -> str:
    """Return a character in its one width and case; "" for what shows nothing."""
    if c in _APOSTROPHES:
        return "'"
    if c in _DASHES:
        return "-"
    if c in "\u2028\u2029\x85":
        return "\n"
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", c).casefold())
    return "".join(x for x in folded if unicodedata.category(x) not in ("Cf", "Me") and not "\ufe00" <= x <= "\ufe0f" and x != "\u034f")


def _word_character(c: str) -> str:
    """Return what a spelt character is within a word, or a space where it is none."""
    if c in "\u3099\u309a":
        return ""
    if is_unspaced(c):
        return f" {_unspaced(c)} "
    base = "".join(x for x in unicodedata.normalize("NFKD", c) if not unicodedata.combining(x))
    return "".join(_STROKES.get(x, x if x.isalnum() or unicodedata.category(x).startswith("M") else " ") for x in base)


def _unspaced(c: str) -> str:
    """Return a character of a script without spaces as hiragana or common kanji; "" for a mark that is no letter."""
    if "ァ" <= c <= "ヶ":
        return chr(ord(c) - 0x60)
    return "" if c in "・゠" else _COMMON_KANJI.get(c, c)


_CHARACTERS, _WORDS = _Characters(), _Words()
_ASCII_WORDS = {i: chr(i) if chr(i).isalnum() else " " for i in range(128)}


def spelt(text: str, *, trace: bool = False) -> Traced:
    """Return text with its characters unified; lines and punctuation stay."""
    made = Traced.of(text) if trace else Traced(text)
    if text.isascii():
        made.text = text.lower()
    else:
        made.translate(_CHARACTERS)
        made.sub(_COMPOSE, lambda m: unicodedata.normalize("NFC", m[0]))
    if "@" in made.text:
        made.sub(_SET_APART, r"\1")
    return made


def spelt_words(text: str, *, trace: bool = False) -> Traced:
    """Return the words of a text, in their one spelling, parted by white space (one or more)."""
    made = spelt(text, trace=trace)
    if "'" in made.text:
        made.sub(_POSSESSIVE, "")
    if "&" in made.text:
        made.sub(_AMPERSAND, " and ")
    if text.isascii():
        made.translate(_ASCII_WORDS)
        return made
    made.sub(_REPEATED, r"\1\1")
    made.sub(_LONG_MARK, "")
    made.sub(_LONG_MARK_APART, r"\1")
    made.sub(_VU, lambda m: _VU_ROW[m[1]])
    made.sub(_SMALL_KE, "が")
    made.translate(_WORDS)
    return made
