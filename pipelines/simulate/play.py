"""Tells one cell of the world: facts in, raw records, truth and books out."""

from pipelines.simulate.play_activity import play_activity
from pipelines.simulate.play_conversions import play_conversions
from pipelines.simulate.play_listings import play_listings
from pipelines.simulate.play_members import (
    play_bindings,
    play_claims,
    play_consents,
    play_crm_lists,
    play_points,
    play_registrations,
)
from pipelines.simulate.play_orders import play_orders
from pipelines.simulate.play_own import play_own_orders
from pipelines.simulate.play_placeholders import play_placeholders
from pipelines.simulate.play_relations import play_relations
from pipelines.simulate.play_visits import VisitPlayer
from pipelines.simulate.scene import Scene
from pipelines.simulate.world import Cell


def play_cell(scene: Scene, cell: Cell) -> None:
    """Everything that happened in the cell has been told, and its truth is written."""
    play_registrations(scene, cell.people)
    VisitPlayer(scene, cell.visits).play()
    play_relations(scene, cell.contacts, cell.groups)
    play_orders(scene, cell.orders)
    play_own_orders(scene, cell.orders)
    play_claims(scene, cell.claims)
    play_bindings(scene, cell.bindings)
    play_crm_lists(scene, cell.people, cell.orders)
    play_points(scene, cell.points)
    play_consents(scene, cell.consents)
    play_conversions(scene, cell.people, cell.orders, cell.contacts)
    play_placeholders(scene, cell.people, cell.visits)
    play_activity(scene, cell.contacts)
    play_listings(scene, cell.contacts)
    scene.truth.close_cell(cell.people, cell.orders)
