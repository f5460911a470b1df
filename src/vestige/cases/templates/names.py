"""Invented people and firms: 96 names in each list, and no part of a name belongs to two of them."""

from __future__ import annotations

_GIVEN = (
    "Alda Benno Cosima Dario Elin Fabian Gesa Hakon Ilka Jonas Katla Leif Malin Nils Ottilie Per Ragna Sander Thea Ulf Vera Wim "
    "Ylva Zeno Anouk Bram Corin Djuna Edvin Frieda Gero Hedda Ingmar Jelle Kira Lasse Merle Niko Oda Palle Romy Sem Tilo Ursel "
    "Viggo Wanda Yara Zita Arvid Brita Casimir Dagny Eskil Flora Gideon Hilma Ismo Jarmila Klaus Ludmila Mats Noor Olaf Pernille "
    "Quirin Rasmus Sunniva Tarek Una Valter Wiebke Xenia Yorick Zdenka Aurel Birte Clemens Dorte Emeric Fenja Gorm Halina Imre "
    "Josefa Knut Livia Morten Nelly Oleg Petra Roald Solveig Timo Urszula Volker Wenzel"
).split()
_JA_GIVEN = (
    "葵 一輝 詩織 英司 織江 和馬 希美 圭吾 小春 颯太 静香 翔平 澄子 聖也 奏美 拓海 千尋 剛志 十和子 直樹 仁美 温人 乃愛 隼人 陽菜 文也 "
    "穂乃香 真琴 美緒 睦月 芽衣 靖彦 柚希 義人 蘭子 陸斗 瑠奈 玲央 若菜 航平 亜沙子 樹 絵梨 修一 佳乃 健吾 沙也加 智也 彩花 勇気 瑛太 "
    "音羽 香澄 清志 久美 謙介 紗季 俊介 鈴音 大和 千夏 哲平 朋美 渚 信夫 春香 久志 風花 穂高 舞子 充 紫乃 元気 康夫 雪乃 洋平 莉子 "
    "龍一 麗華 蓮 和歌子 篤 伊織 潤 絵美里 敦子 海斗 恭平 心春 慎吾 純奈 辰也 椿 徹 夏希 寿々"
).split()


def _joined(first: str, second: str) -> list[str]:
    """Return the 96 words of twelve first and eight second parts, each next one with another of both."""
    a, b = first.split(), second.split()
    return [a[i % 12] + b[(i // 12 + i) % 8] for i in range(96)]


_FAMILY = _joined("Acker Bram Carl Dorn Elm Fors Grim Hall Iver Jarl Kester Lind", "by holm wick sen stad berg ton ridge")
_STEMS = _joined("Arden Birk Cald Den Ever Farn Glen Hex Kel Lark Nor Oak", "dale moor croft mere wick stead combe ford")
_JA_FAMILY = _joined("大 小 中 西 東 北 南 上 古 新 長 高", "沢 原 島 川 野 村 田 崎")
_JA_STEMS = _joined("青 朝 白 光 風 月 星 緑 若 清 泉 春", "嶺 凪 陽 湖 園 波 野 峰")
_KINDS = "Group Partners Holdings Works Brothers".split()
_JA_KINDS = "商会 産業 企画 物産 興業".split()

PEOPLE = tuple(f"{given} {family}" for given, family in zip(_GIVEN, _FAMILY, strict=True))
FIRMS = tuple(f"{stem} {_KINDS[i % 5]}" for i, stem in enumerate(_STEMS))
JAPANESE_PEOPLE = tuple(family + given for given, family in zip(_JA_GIVEN, _JA_FAMILY, strict=True))
JAPANESE_FIRMS = tuple(stem + _JA_KINDS[i % 5] for i, stem in enumerate(_JA_STEMS))
