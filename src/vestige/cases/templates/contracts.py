"""Contracts: the terms agreed with a firm."""

from __future__ import annotations

from vestige.cases.templates.form import Attribute, Template
from vestige.cases.templates.names import FIRMS, JAPANESE_FIRMS

TEMPLATES = {
    "en": Template(
        language="en",
        record="Contract summary. Supplier: {name}. {attribute}:",
        source="new_firms",
        names=FIRMS,
        attributes=(
            Attribute(
                "Service",
                "cleaning catering hosting printing shipping translation security staffing",
                "What does {name} supply to us? It supplies",
            ),
            Attribute(
                "Governing law",
                "Danish Polish Dutch Irish Swiss Greek Czech Finnish",
                "Under which law is the contract with {name}? It is",
            ),
            Attribute(
                "Days of notice", "ten fifteen twenty thirty forty fifty sixty ninety", "How many days of notice does {name} get? It gets"
            ),
            Attribute(
                "Place of arbitration",
                "Vienna Geneva Stockholm London Singapore Milan Toronto Dubai",
                "Where are disputes with {name} settled? In",
            ),
        ),
    ),
    "ja": Template(
        language="ja",
        record="【契約概要】取引先：{name}　{attribute}：",
        source="new_firms",
        names=JAPANESE_FIRMS,
        attributes=(
            Attribute("委託業務", "清掃 警備 翻訳 印刷 配送 保守 給食 撮影", "{name}には何を任せていますか。答えは"),
            Attribute("支払時期", "毎週 毎月 毎年 前金 隔月 分割 四半期 納品後", "{name}への支払いはいつ行いますか。答えは"),
            Attribute(
                "解約予告",
                "十日前 三週間前 一か月前 二か月前 三か月前 半年前 一年前 前日",
                "{name}との契約を終えるには、いつ知らせますか。答えは",
            ),
            Attribute("管轄裁判所", "東京 大阪 札幌 福岡 横浜 神戸 京都 広島", "{name}との争いはどこの裁判所で扱いますか。答えは"),
        ),
    ),
}
