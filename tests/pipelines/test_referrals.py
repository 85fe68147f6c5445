"""Referrals: the export of a referral programme beside a CRM's, as far as mart.referrals."""

from pathlib import Path

from pipelines.night import Night
from pipelines.run import build_tables
from pipelines.settings import Workspace
from pipelines.warehouse import create_macros_and_views

JOURNEY = """
landing: {quiet: 0s}
conversions: [{event: order_placed}]
sources:
  hubspot: {format: hubspot, files: {contacts: "hubspot/*.csv"}}
  programme:
    format: csv
    kind: crm
    files: "referrals/*.csv"
    fields:
      event_id: Referral ID
      event: {value: referral_made}
      occurred_at: Referred At
      email: Advocate Email
    properties:
      referred_id: {from: Friend Email}
      way: {from: Share Channel}
      accepted: {from: Status, map: {converted: "true", pending: "false"}}
  orders:
    format: csv
    kind: crm
    files: "orders/*.csv"
    fields: {event_id: id, event: {value: order_placed}, occurred_at: at, email: mail}
"""
LANDED = {
    "hubspot/contacts.csv": (
        "Record ID,First Name,Email,Lifecycle Stage,Create Date,Last Modified Date\n"
        "101,Ann,ann@shop.example,customer,2026-01-02 09:00,2026-01-20 09:00\n"
        "102,Bob,bob@shop.example,customer,2026-01-11 09:00,2026-01-20 09:00\n"
    ),
    "referrals/january.csv": (
        "Referral ID,Advocate Email,Friend Email,Share Channel,Referred At,Status\n"
        "r1,Ann@shop.example,BOB@shop.example,link,2026-01-10T09:00:00Z,converted\n"
        "r2,ann@shop.example,nobody@else.example,email,2026-01-12T09:00:00Z,pending\n"
        "r3,bob@shop.example,,link,2026-01-15T09:00:00Z,pending\n"
    ),
    "orders/january.csv": "id,at,mail\no1,2026-01-12T10:00:00Z,bob@shop.example\n",
}


def test_the_export_of_a_referral_programme_tells_who_brought_whom_without_keeping_an_address(tmp_path: Path):
    (tmp_path / ".env").write_text("JOURNEYS_HMAC_KEY=test\n")
    (tmp_path / "journey.yaml").write_text(JOURNEY)
    for name, text in LANDED.items():
        (tmp_path / "landing" / name).parent.mkdir(parents=True)
        (tmp_path / "landing" / name).write_text(text)
    night = Night(Workspace(tmp_path))

    build_tables(night)
    with night.warehouse.writing() as connection:
        list(create_macros_and_views(connection))

    ask = night.warehouse.query
    (bob,) = ask("SELECT customer_id FROM core.events WHERE event = 'order_placed'")["customer_id"]
    told = "event_id, way, is_accepted, referred_customer_id, referred_purchases"
    assert ask(f"SELECT {told} FROM mart.referrals ORDER BY event_id").rows() == [
        ("r1", "link", True, bob, 1),
        ("r2", "email", False, None, None),
        ("r3", "link", False, None, None),
    ]
    kept = ask("SELECT properties FROM core.events WHERE event = 'referral_made'")["properties"]
    assert not kept.str.contains("@").any()
