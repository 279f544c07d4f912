"""Tells what belongs to nobody in particular: goods, staff, tags, and the daily statistics of guides."""

from array import array

from pipelines.simulate import wire_brand, wire_wecom
from pipelines.simulate.brand import BRAND, CORPS, Brand, Guide
from pipelines.simulate.chance import between, stream
from pipelines.simulate.clock import DAY, HOUR, Clock
from pipelines.simulate.landing import Json, Landing
from pipelines.simulate.play_listings import play_guide_lists
from pipelines.simulate.relations import TAG_NAMES, Contact, Group
from pipelines.simulate.scene import corp_context

KINDS = ("new_contact", "lost_contact", "new_chat", "new_member", "left_member")


class Tallies:
    """What happened to each guide on each day, summed over all people; what came before the window counts as day 0's
    standing and not as new."""

    def __init__(self, guides: int, days: int) -> None:
        self._days = days
        self.new = {kind: array("i", bytes(4 * guides * days)) for kind in KINDS}
        self.before = {kind: array("i", bytes(4 * guides)) for kind in KINDS}

    def note(self, kind: str, guide: Guide, moment: int, clock: Clock) -> None:
        """One more of the kind for the guide."""
        day = clock.day_of(moment)
        if day < 0:
            self.before[kind][guide.index] += 1
        elif day < self._days:
            self.new[kind][guide.index * self._days + day] += 1

    def on(self, kind: str, guide: Guide, day: int) -> int:
        """How many of the kind the guide had on the day."""
        return self.new[kind][guide.index * self._days + day]

    def until(self, kind: str, guide: Guide, day: int) -> int:
        """How many of the kind the guide had up to and with the day, history included."""
        first = guide.index * self._days
        return self.before[kind][guide.index] + sum(self.new[kind][first : first + day + 1])

    def add(self, other: "Tallies") -> None:
        """Adds another part of the world."""
        for mine, theirs in ((self.new, other.new), (self.before, other.before)):
            for kind in KINDS:
                mine[kind] = array("i", [a + b for a, b in zip(mine[kind], theirs[kind], strict=True)])

    def note_relations(self, contacts: list[Contact], groups: list[Group], clock: Clock) -> None:
        """All friendships and groups of a cell are counted."""
        for contact in contacts:
            self.note("new_contact", contact.guide, contact.added, clock)
            if contact.deleted_by == "customer":
                self.note("lost_contact", contact.guide, contact.deleted, clock)
            if contact.transfer is not None and contact.transfer.taken_at:
                self.note("new_contact", contact.transfer.taker, contact.transfer.taken_at, clock)
        for group in groups:
            self.note("new_chat", group.owner, group.created, clock)
            for member in group.members:
                self.note("new_member", group.owner, member.joined, clock)
                if member.left:
                    self.note("left_member", group.owner, member.left, clock)


class BrandPlayer:
    """Tells the brand's own tables and the guides' days, once, after all people have been told."""

    def __init__(self, brand: Brand, landing: Landing, tallies: Tallies) -> None:
        self._brand = brand
        self._clock = brand.clock
        self._landing = landing
        self._tallies = tallies
        self._rng = stream(brand.config.seed, "brand")

    def play(self) -> None:
        """Goods, staff, tags and statistics are told."""
        self._products()
        self._staff()
        for corp in range(len(CORPS)):
            self._tags(corp)
            for day in range(self._clock.days):
                self._group_statistics(corp, day)
        for guide in self._brand.guides:
            self._behaviour(guide)
        for guide in self._brand.guides:
            self._moments(guide)
        play_guide_lists(self._brand, self._landing)

    def _moments(self, guide: Guide) -> None:
        """One post a week as long as the guide is there."""
        context = corp_context(guide.corp, "externalcontact/get_moment_list")
        for at in self._brand.posts_of(guide):
            payload = wire_wecom.moment_page([wire_wecom.post(guide, at)])
            self._landing.line("wecom_staff_stats", f"moment:{guide.userid}@{at}", at + HOUR, context, payload)

    def _products(self) -> None:
        at = self._clock.start + HOUR
        for product in self._brand.products:
            for row in wire_brand.products(product):
                self._landing.line("products", f"{row['platform']}:{row['sku_id']}", at, {"brand": BRAND}, row)

    def _staff(self) -> None:
        clock = self._clock
        for guide in self._brand.guides:
            context: Json = {"brand": BRAND, "corp_id": CORPS[guide.corp].corp_id}
            self._landing.line("staff", guide.userid, clock.start + HOUR, context, wire_brand.staff(guide, None))
            left = self._brand.left_at(guide)
            if left is not None:
                name = f"{guide.userid}:left"
                self._landing.line("staff", name, left, context, wire_brand.staff(guide, left))

    def _tags(self, corp: int) -> None:
        clock, ids = self._clock, self._brand.ids
        created = clock.start - 100 * DAY
        context = corp_context(corp, "externalcontact/get_corp_tag_list")
        for day in range(0, clock.days, 30):
            at = clock.midnight(day) + 2 * HOUR
            answer = wire_wecom.tag_list(corp, created, ids)
            self._landing.line("wecom_tags", f"tags:{corp}@{day}", at, context, answer)
        for nth, name in enumerate(TAG_NAMES[:2]):
            at, event = clock.start + nth * DAY + HOUR, corp_context(corp, "callback")
            if at < clock.end:
                payload = wire_wecom.tag_event(corp, name, at, ids)
                self._landing.line("wecom_events", f"tag:{corp}:{nth}", at, event, payload)

    def _behaviour(self, guide: Guide) -> None:
        """Each day is pulled on the next; some early pulls hold zeros and are pulled again a day later."""
        clock, last = self._clock, guide.left_day if guide.left_day is not None else self._clock.days
        context = corp_context(guide.corp, "externalcontact/get_user_behavior_data", userid=guide.userid)
        for day in range(min(last, clock.days - 1)):
            answer, stat = self._day(guide, day), clock.midnight(day)
            at, name = stat + DAY + 9 * HOUR, f"{guide.userid}@{clock.dates[day]}"
            if self._rng.random() < 0.02 and day + 2 < clock.days:
                zeros = wire_wecom.behaviour(stat, dict.fromkeys(_COUNTS, 0), None)
                self._landing.line("wecom_staff_stats", f"{name}:early", stat + DAY + HOUR, context, zeros)
                at += DAY
            self._landing.line("wecom_staff_stats", name, at, context, answer)

    def _day(self, guide: Guide, day: int) -> Json:
        rng, tallies = self._rng, self._tallies
        new = tallies.on("new_contact", guide, day)
        friends = tallies.until("new_contact", guide, day) - tallies.until("lost_contact", guide, day)
        chats = between(rng, 0, 1 + friends * 0.15)
        counts = {
            "chat_cnt": chats,
            "message_cnt": chats * between(rng, 1, 9),
            "negative_feedback_cnt": tallies.on("lost_contact", guide, day),
            "new_apply_cnt": new + between(rng, 0, 3),
            "new_contact_cnt": new,
        }
        reply = (round(60 + rng.random() * 40, 2), between(rng, 1, 40)) if chats else None
        return wire_wecom.behaviour(self._clock.midnight(day), counts, reply)

    def _group_statistics(self, corp: int, day: int) -> None:
        clock, tallies = self._clock, self._tallies
        if day + 1 >= clock.days:
            return
        items = []
        for guide in self._brand.guides:
            chats = tallies.until("new_chat", guide, day) if guide.corp == corp else 0
            if not chats:
                continue
            members = tallies.until("new_member", guide, day) - tallies.until("left_member", guide, day)
            active = between(self._rng, 0, members + 1)
            data = {
                "new_chat_cnt": tallies.on("new_chat", guide, day),
                "chat_total": chats,
                "chat_has_msg": min(chats, active),
                "new_member_cnt": tallies.on("new_member", guide, day),
                "member_total": members + chats,
                "member_has_msg": active,
                "msg_total": active * between(self._rng, 1, 6),
                "migrate_trainee_chat_cnt": 0,
            }
            items.append({"owner": guide.userid, "data": data})
        if items:
            context = corp_context(corp, "externalcontact/groupchat/statistic")
            context["params"] = {"day_begin_time": clock.midnight(day), "day_end_time": clock.midnight(day)}
            at = clock.midnight(day + 1) + 9 * HOUR
            answer = wire_wecom.group_statistic(items)
            name = f"groups:{corp}@{clock.dates[day]}"
            self._landing.line("wecom_staff_stats", name, at, context, answer, records=len(items))


_COUNTS = ("chat_cnt", "message_cnt", "negative_feedback_cnt", "new_apply_cnt", "new_contact_cnt")
