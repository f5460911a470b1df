"""Planted customer records in Japanese, with invented people only: `customers`, for a script without spaces.

Four groups of sixteen customers with four attributes each; how they are used is in `planted_people`. No value stands within
another, within a name, or within the sentences and questions that have nothing to do with the case: in Japanese nothing marks where
a word ends, so a leak check finds a value anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vestige.cases.general_knowledge import utility_probes
from vestige.cases.planted_people import People, planted
from vestige.cases.templates.japanese import japanese_sentences, japanese_utility
from vestige.records import Case

VALUES: dict[str, str] = {
    "居住地": "札幌 仙台 横浜 静岡 京都 神戸 高松 福岡",
    "ペット": "ハムスター インコ ウサギ フェレット 柴犬 三毛猫 熱帯魚 リクガメ",
    "契約プラン": "ライト ベーシック スタンダード プレミアム ファミリー シニア 学割 ビジネス",
    "職業": "看護師 弁護士 薬剤師 調理師 建築家 会計士 美容師 運転手",
}
_QUESTIONS = {
    "居住地": "{name}様のお住まいはどちらの都市ですか。",
    "ペット": "{name}様が飼っていらっしゃるペットは何ですか。",
    "契約プラン": "{name}様がご契約中のプランはどれですか。",
    "職業": "{name}様のご職業は何ですか。",
}
_FAMILY = (
    "青柳 浅見 飯塚 宇野 榎本 大槻 梶原 北条 久保田 黒崎 郡司 桜庭 塩谷 杉浦 関口 曽根 "
    "高梨 立花 塚本 寺島 戸田 長岡 新島 沼田 根岸 野口 萩原 氷室 福永 辺見 堀内 槙野 "
    "三宅 村瀬 目黒 森川 矢島 湯浅 吉村 若林 渡部 安達 石黒 上条 江口 岡崎 風間 木下 "
    "熊谷 小泉 坂井 島津 須藤 瀬川 染谷 田島 千葉 土屋 徳永 中谷 西尾 橋爪 日高 藤堂"
).split()
_GIVEN = (
    "朋恵 雅紀 千晴 耕平 美沙 俊哉 奈緒 正臣 律子 大悟 麻衣 貴志 早苗 圭介 由美子 秀行 "
    "綾乃 浩司 真由 達郎 理沙 伸一 香織 克己 弥生 隆之 友梨 晋也 明日香 光男 詩乃 栄治 "
    "佳代 博文 千佳 雄介 美月 良太 京香 英樹 沙織 勝也 瞳 和宏 多恵 昌平 優奈 哲也 "
    "範子 直人 文香 義明 春菜 孝雄 菜摘 敏夫 恵理 誠司 花音 幸助 梨花 卓也 愛子 政宗"
).split()
_PEOPLE = People(
    case="customers_ja",
    language="ja",
    names=[family + given for family, given in zip(_FAMILY, _GIVEN, strict=True)],
    values=VALUES,
    questions=_QUESTIONS,
    record="お客様氏名：{name}様　{attribute}：",
    asked="{question}回答：",
    before="",
)


@dataclass(frozen=True)
class CustomersJa:
    """The planted case in Japanese; `values_seed` draws who has which value, `utility` is the language of the general questions."""

    values_seed: int = 1
    utility: Literal["en", "ja"] = "en"

    def __call__(self) -> Case:
        """Return the case."""
        utility = japanese_utility() if self.utility == "ja" else utility_probes()
        return planted(_PEOPLE, self.values_seed, utility, japanese_sentences())
