"""Support tickets: who wrote in, about what, and how it ended."""

from __future__ import annotations

from vestige.cases.templates.form import Attribute, Template
from vestige.cases.templates.names import JAPANESE_PEOPLE, PEOPLE

TEMPLATES = {
    "en": Template(
        language="en",
        record="Support ticket. Customer: {name}. {attribute}:",
        source="new_customers",
        names=PEOPLE,
        attributes=(
            Attribute(
                "Product",
                "router printer scanner monitor keyboard headset camera speaker",
                "Which product did {name} write to support about? It was the",
            ),
            Attribute(
                "Fault",
                "overheating flickering humming freezing leaking rattling beeping smoking",
                "What was wrong with the device of {name}? It was",
            ),
            Attribute("Channel", "phone email chat letter fax app forum counter", "How did {name} reach support? By"),
            Attribute(
                "Outcome",
                "refund replacement repair voucher discount upgrade apology cancellation",
                "How did the complaint of {name} end? With",
            ),
        ),
    ),
    "ja": Template(
        language="ja",
        record="【問い合わせ記録】お客様：{name}様　{attribute}：",
        source="new_customers",
        names=JAPANESE_PEOPLE,
        attributes=(
            Attribute(
                "製品",
                "プリンター スキャナー モニター キーボード ヘッドセット カメラ スピーカー ルーター",
                "{name}様が問い合わせた製品は何ですか。答えは",
            ),
            Attribute("症状", "発熱 異音 停止 点滅 水漏れ 異臭 振動 文字化け", "{name}様の機器にはどんな不具合が出ましたか。答えは"),
            Attribute(
                "連絡手段", "電話 メール 手紙 店頭 チャット ファックス アプリ 訪問", "{name}様はどうやって連絡してきましたか。答えは"
            ),
            Attribute("対応", "返金 交換 修理 値引き 再送 謝罪 解約 点検", "{name}様の件は最後にどう処理されましたか。答えは"),
        ),
    ),
}
