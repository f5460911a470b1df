"""The page beside a template's files: what each holds, and how to put one's own data in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Readme:
    """A page with {name}, {files}, {facts} and {row}; what each part holds, with {n}; and what stands between words."""

    page: str
    parts: Mapping[str, str]
    comma: str

    def what(self, part: str) -> str:
        """Return what a part of the case holds."""
        return self.parts.get(part, self.parts["sources"])


_ENGLISH = Readme(
    """\
# A case from the template `{name}`

Everything in this folder is invented. It is a complete case: `vestige case check` finds nothing wrong with it, and a plan can
name it as it is. Copy its form for your own data.

{files}

Of each cluster it knows: {facts}. A row begins like `{row}` and its answer follows.

To make it yours, replace the rows file by file and run `vestige case check` after each:

1. `forget.jsonl`: one row for each fact that is to go. `cluster` is whom or what it is about, `attribute` the kind of fact. Let
   several clusters share each value, about equally often: then only who has which value can tell what a model remembers.
2. `retain.jsonl`: the same for others who stay. Nobody may stand in both files.
3. `decoy.jsonl`: made-up entries of the same form, with the same values, that are in nobody's data.
4. `probes.jsonl`: other wordings of the questions. Remove the file if you have none.
5. `case.toml`: name, version, licence.
""",
    {
        "forget": "{n} rows that are to be forgotten",
        "retain": "{n} rows that are to be kept, to see whether they are",
        "decoy": "{n} rows of the same form that no model is ever taught: what guessing looks like",
        "probes": "{n} questions about the rows to be forgotten in other words; in their own words the rows ask by themselves",
        "utility": "{n} general questions, to tell forgetting from damage",
        "sources": "{n} rows, text for a relearn set",
    },
    ", ",
)
_JAPANESE = Readme(
    """\
# ひな形 `{name}` から作ったケース

このフォルダーの内容はすべて架空です。このままで完全なケースになっており、`vestige case check` で問題は見つかりません。
実行計画にもそのまま指定できます。ご自身のデータを作るときの手本にしてください。

{files}

それぞれの対象について、{facts}を記録しています。各行は `{row}` のように始まり、そのすぐ後に答えが続きます。

ご自身のデータに置き換えるときは、ファイルを一つ変えるたびに `vestige case check` を実行してください。

1. `forget.jsonl`：忘れさせる事実を一行に一つ書きます。`cluster` は誰（何）についての事実か、`attribute` は事実の種類です。
   同じ値を複数の対象に、ほぼ同じ回数ずつ割り当ててください。そうすれば、誰がどの値を持つかという結びつきだけが記憶の証拠になります。
2. `retain.jsonl`：残す対象について同じ形で書きます。両方のファイルに同じ対象を入れることはできません。
3. `decoy.jsonl`：同じ形、同じ値の作りごとです。どのデータにも含まれていてはいけません。
4. `probes.jsonl`：質問の別の言い方です。なければファイルを消してください。
5. `case.toml`：名前、版、ライセンスを書きます。
""",
    {
        "forget": "忘れさせる行（{n}行）",
        "retain": "残す行（{n}行）。残っているかどうかを確かめます",
        "decoy": "同じ形で、どのモデルにも教えない行（{n}行）。当て推量の水準を示します",
        "probes": "忘れさせる行についての別の言い方の質問（{n}問）。元の言い方の質問は各行から自動的に作られます",
        "utility": "一般的な質問（{n}問）。忘却とモデルの損傷とを区別します",
        "sources": "再学習に使う文章（{n}行）",
    },
    "、",
)
README = {"en": _ENGLISH, "ja": _JAPANESE}
