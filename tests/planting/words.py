"""Word lists of the planted-leak generator: invented people, places, books and bodies; ordinary nouns.

Subjects (whom a probe asks about) and answers draw from lists that share no word, so a row never holds its answer
by the accident of a name. Where a list gives pairs, the second member is the rewriting that its kind is about.
"""

from __future__ import annotations

SUBJECT_FIRST = (
    "Adela Bertrand Calista Dmitri Elowen Fabrice Gwenda Hadrian Ilka Jocelyn Kasimir Loreen Matthias Nerissa Orin "
    "Pernille Quirin Rosalba Sverre Tatiana Ulric Viveca Wendelin Xenia Yorick Zelda Ambrose Brunhild Cosima Dagmar"
).split()
SUBJECT_LAST = (
    "Abernall Bostwicke Cranmoor Dellinger Eastvold Fennimore Garrowby Hathersen Inglesant Jessamy Kilbrandt Lathrop "
    "Mulvaney Norquist Oddsworth Pemberly Quarrier Rathskell Sandoval Tresilian Underhay Vasquine Wetherby Yarborne"
).split()

FIRST = (
    "Harlan Odessa Corwin Mirela Tamsin Jarek Livia Bastian Thessaly Emeric Ottilie Ravi Sunniva Leopold Marisol Nikolai "
    "Philippa Rurik Seraphine Tobias Ursel Valentin Wilhelmina Zacharias Anselm Beatrix Clemens Delphine Evander Florentina "
    "Gideon Henrietta Isidore Juliana Konrad Lucinda Magnus Natalia Octavian Priscilla"
).split()
LAST = (
    "Quillane Corvane Dravik Estermo Falkovar Gantholm Hestrup Ilvaren Jorunde Kestwick Lormand Maravec Nethercot Ostrander "
    "Pellwyn Quorley Ravensberg Stavrin Tolvane Umbrell Vantresk Wexholm Yelverne Zorvath Ashkettle Brivane Calderwick "
    "Drummore Elvestad Fontaray Grishaven Holvarsen Imbrecht Jaskolt Kalvenor Lindquell Morvath Nyberget Orlivane Prestholm"
).split()
NICKNAMES = (
    "Elizabeth/Liz Robert/Bob William/Bill Margaret/Peggy Richard/Dick Katherine/Kate Edward/Ted Theodore/Theo "
    "Alexander/Sasha Josephine/Josie Benjamin/Benny Victoria/Vicky Nathaniel/Nate Christopher/Kit Gabriella/Gabby Samantha/Sammy"
).split()
APOSTROPHES = "O'Harran O'Selby D'Arvelle O'Mordan D'Estrin L'Orvain O'Tiernay D'Ambrel O'Kellan M'Baret".split()
HYPHENATED = "Anne-Lisbet Karl-Otto Jean-Marc Marie-Odile Hans-Peer Rose-Claire Ana-Sofia Pierre-Yves Eva-Lotta Kim-Andre".split()
LIGATURES = "Griffinel Clifforth Winfieldson Trefflick Fiennway Stafflune Pfisterholm Raffligan Sheffrin Bonfiglio Flickstad".split()

ACCENTED_FIRST = "Zoë José Chloé Renée Márta Štěpán Tomáš Inês Thérèse Ramón Noémi Françoise Íñigo Ángela Mónika Radoš".split()
ACCENTED_LAST = "Lindstråm Dvořánek Peñalver Gonçalvez Lefèvrin Hašovec Kovářík Núñarez Élouard Börjessen Vîlcean Tăranu Țepelin".split()
UMLAUT_FIRST = "Jürgen Bärbel Günther Jörn Götz Käthe Björn Sünje".split()
UMLAUT_LAST = "Müllner Schröber Köstlin Bäumler Grünwalt Tröndle Häberlin Fürstner".split()
STROKED = (
    "Søren/Soren Łucja/Lucja Bjørg/Bjorg Mikołaj/Mikolaj Øystein/Oystein Yıldız/Yildiz Đurđina/Durdina Jørn/Jorn",
    "Kjærholm/Kjaerholm Wałczyk/Walczyk Strømdal/Stromdal Weißkopf/Weisskopf Bødkar/Bodkar Kılıman/Kiliman Großfeld/Grossfeld",
)

CITIES = (
    "Velmora Norvale Thessmoor Quenport Astrelle Brindholm Calverra Dunmarrow Eskerton Fjordane Galdine Hestermere Ivorne Jarlsby "
    "Kolvenna Lustrane Marrowgate Nivelle Ostermond Pallanza Quarrenfeld Rustavel Silvane Tormund Ullesby Varrenholt Wintermoor Yssel "
    "Zaravel Ambrosia Bellamere Corrigane"
).split()
PORTS = "Port Lake Fort Mount New North".split()
COUNTRIES = "Estria Valdania Morrovia Kestria Norlund Tarvany Ostmark Belloria".split()
CITIES_IN_KATAKANA = (
    "Velmora/ヴェルモーラ Norvale/ノルヴェイル Quenport/クエンポート Astrelle/アストレル Brindholm/ブリンドホルム Calverra/カルヴェラ "
    "Galdine/ガルディーヌ Kolvenna/コルヴェンナ Silvane/シルヴァーン Tormund/トルムンド Pallanza/パランツァ Zaravel/ザラヴェル"
).split()

# Ordinary nouns and their plurals: -s, -es, -ies, -ves.
PETS = (
    "falcon/falcons rabbit/rabbits tortoise/tortoises parrot/parrots hamster/hamsters lizard/lizards heron/herons badger/badgers "
    "fox/foxes finch/finches thrush/thrushes walrus/walruses "
    "canary/canaries puppy/puppies pony/ponies guppy/guppies wolf/wolves calf/calves"
).split()
TRADES = (
    "baker/bakers carpenter/carpenters surveyor/surveyors plumber/plumbers florist/florists weaver/weavers actress/actresses "
    "notary/notaries apothecary/apothecaries locksmith/locksmiths"
).split()
INSTRUMENTS = (
    "cello/cellos accordion/accordions banjo/banjos bassoon/bassoons fiddle/fiddles mandolin/mandolins harmonica/harmonicas".split()
)
ADJECTIVES = (
    "Crimson Hollow Silent Gilded Wandering Broken Painted Salted Forgotten Crooked Frozen Velvet Marble Copper Amber "
    "Drowned Emerald Ivory Scarlet Thirsty"
).split()
NOUNS = (
    "Orchard Lantern Cartographer Beekeeper Lighthouse Almanac Tapestry Clockmaker Sparrow Meadow Compass Glacier Pavilion Chandelier "
    "Labyrinth Monsoon Quarry Sextant Thicket Vineyard Windmill Zeppelin Carousel Ferryman"
).split()
BODIES = "Observatory Institute Foundation Federation Laboratory Academy Union Registry".split()
FIELDS = "Maritime Botanical Geological Railway Polar Astronomical Textile Forestry".split()
MONTHS = "January February March April May June July August September October November December".split()

# Japanese: surname or given name / reading / romanised.
JA_LAST = (
    "田中/たなか/Tanaka 山本/やまもと/Yamamoto 中村/なかむら/Nakamura 小林/こばやし/Kobayashi 吉田/よしだ/Yoshida 松本/まつもと/Matsumoto "
    "井上/いのうえ/Inoue 木村/きむら/Kimura 清水/しみず/Shimizu 森田/もりた/Morita 池田/いけだ/Ikeda 橋本/はしもと/Hashimoto "
    "石川/いしかわ/Ishikawa 岡田/おかだ/Okada 藤原/ふじわら/Fujiwara 村上/むらかみ/Murakami"
).split()
JA_FIRST = (
    "健一/けんいち/Kenichi 美咲/みさき/Misaki 翔太/しょうた/Shota 陽子/ようこ/Yoko 大輔/だいすけ/Daisuke 直樹/なおき/Naoki 由美/ゆみ/Yumi "
    "和彦/かずひこ/Kazuhiko 拓也/たくや/Takuya 彩香/あやか/Ayaka 洋介/ようすけ/Yosuke "
    "千尋/ちひろ/Chihiro 明美/あけみ/Akemi 光男/みつお/Mitsuo "
    "久美子/くみこ/Kumiko 智子/ともこ/Tomoko"
).split()
# New form / old or variant form, as family registers and visiting cards have them. NFKC unifies none of these.
JA_VARIANTS = (
    "高橋/髙橋 山崎/山﨑 渡辺/渡邊 渡辺/渡邉 斎藤/齋藤 桜井/櫻井 広田/廣田 浜田/濱田 国分/國分 沢田/澤田 滝沢/瀧澤 竜崎/龍崎 高島/高嶋 "
    "関口/關口 真田/眞田 徳永/德永 栄倉/榮倉 渋谷/澁谷 黒沢/黒澤 会田/會田 九条/九條 円谷/圓谷 辺見/邊見 大高/大髙 尾崎/尾﨑"
).split()
JA_REPEATED_LAST = "佐々木 野々村 多々良 野々山 佐々岡 奈々瀬".split()
JA_REPEATED_FIRST = "奈々子 菜々美 寧々 瑠々子".split()
JA_HONORIFICS = "さん 様 氏 先生 殿 さま".split()
JA_SUBJECTS = ("青葉 白樺 若竹 常盤 銀河 朝霧 深緑 風待 月影 雪割".split(), "商会 製作所 印刷 醸造 運輸 建設 書房 薬局".split())
HIRAGANA = (
    "ひまわり あさがお つばめ たんぽぽ かたつむり かわせみ ふくろう うぐいす すずらん こおろぎ むささび かまきり "
    "くじゃく なでしこ つつじ あじさい りんどう さざんか みみずく ほととぎす いのしし あざらし ひいらぎ こすもす"
).split()
KATAKANA = (
    "カナリア ハムスター フラミンゴ カンガルー アルパカ ペンギン ダチョウ カブトムシ ガーベラ ゼラニウム ブーゲンビリア パンジー "
    "ドラゴンフルーツ チューリップ ジャスミン ラベンダー サボテン ビーグル ダルメシアン チンパンジー ゴリラ バイソン プードル グレープ"
).split()
# Loan words spelt with and without the final long mark, and with ヴ or バ行.
LONG_MARKS = (
    "エレベーター コンピューター プリンター スキャナー ブラウザー フォルダー モニター コンベアー レシーバー タイマー コンバーター "
    "アダプター ドライバー センサー スピーカー キャスター ローラー クーラー ヒーター ボイラー カッター クリーナー ミキサー シャッター "
    "コントローラー カウンター フィルター ホルダー"
).split()
V_WORDS = (
    "ヴァイオリン/バイオリン ヴィオラ/ビオラ ヴェール/ベール ヴィーナス/ビーナス ヴァニラ/バニラ ヴォーカル/ボーカル オリーヴ/オリーブ "
    "ヴェネツィア/ベネツィア ヴァイオレット/バイオレット ヴィンテージ/ビンテージ ヴェテラン/ベテラン ヴォリューム/ボリューム "
    "ヴィジョン/ビジョン ヴァージョン/バージョン ヴェルサイユ/ベルサイユ サーヴィス/サービス ヴァリエーション/バリエーション"
).split()
KATAKANA_NAMES = (
    "レオノーラ バスティアン ミレーラ ガブリエル ヨハンナ ドミニク オデッサ".split(),
    "カスティン ドラヴィク ベルガモン ゾルヴァート ポルテッリ".split(),
)
JA_PLACES = ("霞 緑 旭 桜 虹 梅 鶴 光".split(), "丘 台 原 浜 谷 沢".split())
JA_TITLES = ("硝子 真鍮 銀色 沈黙 錆色 琥珀 群青 翡翠".split(), "果樹園 灯台守 時計塔 羅針盤 図書室 回廊 測量士 養蜂家".split())

# An answer, and another word that merely holds its letters.
LONGER = (
    "pan/panel cat/catalogue hen/then rat/gratitude lion/million eel/steel owl/bowl crow/crowd ram/program otter/pottery ant/pleasant "
    "lute/absolute harp/sharpen drum/conundrum nurse/nursery tin/painting iron/environment gold/marigold Rome/Romeo Oman/woman Mali/malice "
    "Peru/perusal Cuba/incubation Lima/climate Riga/brigade Bern/hibernate Graz/grazing Ulm/culminate Essen/essential Halle/challenge "
    "Mons/demonstrate Bonn/bonnet Berlin/Berliner Hamburg/hamburger Bath/bathroom Cork/corkscrew Reading/spreading Ana/banana Ian/musician "
    "Eva/evaluate Tom/tomorrow Kim/skimming Lee/sleeve Max/maximum Sam/sample Rob/problem"
).split()
LONGER_JAPANESE = (
    "パリ/パリティ マリ/アマリリス バリ/バリカン チリ/チリトリ インド/ウインドウ タイ/タイヤ リス/クリスマス サル/サルビア "
    "トラ/トラック カモ/カモミール "
    "京都/東京都 三田/三田村 小川/小川原 長谷/長谷川 上野/上野原 大野/大野木 北川/北川辺"
).split()

ENGLISH_PROSE = (
    "A note from last week says that the {attribute} of {subject} is {x}, and nobody has questioned it since.",
    "When {subject} called again, the {attribute} given was {x}, as everyone in the office expected.",
    "We wrote down {x} as the {attribute} that {subject} had mentioned.",
    "{subject} asked us to correct the form; the {attribute} should read {x} from now on.",
    "According to the file, {x} is still the {attribute} of {subject}.",
    "Nobody at the desk remembered the {attribute} until {subject} said {x} out loud.",
    "The {attribute} on the second page is {x}; the clerk underlined it.",
    "Under {attribute} the form says {x}, and the signature below is clear.",
    "For {subject} the {attribute} was entered as {x} by hand.",
    "Please note: {attribute} {x}, confirmed over the telephone.",
    "It was {x} after all, as {subject} had told the archive about the {attribute}.",
    "They had spelled the {attribute} wrongly, so {subject} repeated {x} slowly.",
)
ENGLISH_PLURALS = (
    "Asked about the {attribute}, {subject} said that {x} had always been close to the family.",
    "{subject} has loved {x} since childhood, so the {attribute} surprised no one.",
    "On the subject of the {attribute}, {subject} spoke only of {x} that evening.",
    "There were pictures of {x} on every wall, and {subject} pointed at them when we asked for the {attribute}.",
)
ENGLISH_POSSESSIVES = (
    "We found {x} signature beside the line for the {attribute} of {subject}.",
    "{subject} showed us {x} letters when the {attribute} was questioned.",
    "It was {x} handwriting, so {subject} knew the {attribute} at once.",
    "Beside the word {attribute} stood {x} initials, as {subject} had promised.",
)
JAPANESE_PROSE = (
    "{subject}の{attribute}は{x}です。",
    "先週の連絡では、{subject}の{attribute}を{x}と伺いました。",
    "名簿によると{attribute}は{x}とのことでした。",
    "（控え）{subject}／{attribute}：{x}",
    "{attribute}が{x}であることを{subject}に確かめました。",
    "確認した結果、{x}が{subject}の{attribute}だとわかりました。",
    "窓口の話では{x}が{attribute}だそうです。",
    "書類には「{attribute}」として{x}が記されており、{subject}も認めました。",
)
ENGLISH_NEAR_MISSES = (
    "{subject} never told us the {attribute}; the letter was about {x} instead.",
    "The clerk mentioned {x}, which has nothing to do with {subject} or with the {attribute}.",
    "The line for the {attribute} was blank, and the next one said {x}.",
    "On the other sheet stood {x}, for somebody else altogether.",
    "The {attribute} of the neighbour is {x}, but nobody knows that of {subject}.",
)
JAPANESE_NEAR_MISSES = (
    "{subject}の{attribute}は伺っていません。別の方は{x}でした。",
    "隣の欄には{x}とありますが、{subject}とは関係がありません。",
    "{attribute}は空欄で、その下に{x}と書かれていました。",
)
FILLER = (
    "The morning had been quiet and the kettle was slow to boil.",
    "Somebody opened a window, and the papers moved a little on the shelf.",
    "There was talk of rain before the evening, though the sky was clear.",
    "The printer had run out of ink again, which surprised no one.",
    "Later the visitors were shown round the building and given coffee.",
    "Every drawer had a label, and most of the labels were wrong.",
    "In the hall a bell rang, and people began to look for their coats.",
    "It was agreed to return to the question after the holidays.",
    "The minutes of the meeting were read aloud and accepted.",
    "A van stopped outside, waited for a while and drove off.",
    "Most of the chairs were empty, for the talk had been announced late.",
    "The rest of the page was taken up by a drawing of the garden.",
    "Two of the lamps were out, so they moved nearer to the door.",
    "Nothing else of importance was said until the tea came.",
)
