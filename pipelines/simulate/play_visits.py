"""Tells what happened in the mini-programs: log-in answers, numbers given, behaviour events."""

from pipelines.simulate import wire_miniprogram as wire
from pipelines.simulate.brand import MINI_PROGRAMS
from pipelines.simulate.landing import Json
from pipelines.simulate.scene import (
    Scene,
    app_context,
    device_node,
    login_node,
    openid_node,
    unionid_node,
)
from pipelines.simulate.visits import Visit


class VisitPlayer:
    """Tells the visits of one person to one program after the other, remembering who has logged in."""

    def __init__(self, scene: Scene, visits: list[Visit]) -> None:
        self._scene = scene
        self._visits = visits
        self._signed_up: set[int] = set()

    def play(self) -> None:
        """All visits are told."""
        for visit in self._visits:
            if visit.signs_up:
                self._signed_up.add(visit.person.index)
            if visit.logs_in:
                self._log_in(visit)
            if visit.gives_phone:
                self._give_phone(visit)
            self._events(visit)

    def _log_in(self, visit: Visit) -> None:
        scene, person, at = self._scene, visit.person, visit.start
        openid, platform = person.openids[visit.app], MINI_PROGRAMS[visit.app].open_platform_id
        unionid = person.unionid(platform, at)
        if unionid is not None:
            scene.link(person, openid_node(person, visit.app), unionid_node(person, platform))
        else:
            scene.see(person, openid_node(person, visit.app))
        context = app_context(visit.app, method="jscode2session", code=f"0{visit.start % 10**9:09d}{visit.app}")
        name = f"session:{openid}:{at}"
        scene.landing.line("miniprogram_users", name, at + 1, context, wire.session(openid, unionid))
        if scene.rng.random() < 0.002:
            scene.landing.line("miniprogram_users", f"{name}:again", at + 2, context, wire.failed_session())

    def _give_phone(self, visit: Visit) -> None:
        scene, person, at = self._scene, visit.person, visit.start + 20
        number, program = person.phone_at(at).number, MINI_PROGRAMS[visit.app]
        answer = wire.phone_number(number, at, program.app_id, country_as_text=scene.rng.random() < 0.7)
        openid = person.openids[visit.app]
        context = app_context(visit.app, method="getuserphonenumber", openid=openid)
        scene.landing.line("miniprogram_users", f"phone:{openid}:{at}", at + 1, context, answer)
        scene.link_phone(person, openid_node(person, visit.app), at)

    def _events(self, visit: Visit) -> None:
        scene, person = self._scene, visit.person
        context, ids = app_context(visit.app), self._ids(visit)
        # Before the first log-in has come back, the device is all that is known.
        early = scene.rng.random() < 0.5 if visit.first else False
        for nth, step in enumerate(visit.steps):
            known = wire.identities(visit, openid=None, unionid=None, login=None) if early and nth == 0 else ids
            record = wire.event(visit, step, known)
            self._emit(visit, step.after_ms, context, record)
        self._note(visit, early=early and len(visit.steps) == 1)
        if visit.signs_up:
            record = wire.sign_up(visit, ids, person.openids[visit.app], 900)
            self._emit(visit, 900, context, record)
        elif visit.first:
            self._emit(visit, 700, context, wire.profile_set(visit, ids, 700))
        if visit.binds_mobile and visit.signs_up:
            self._bind_mobile(visit, ids, context)
        if visit.clock_error_ms:
            day = scene.brand.clock.landing_day(visit.start)
            scene.landing.fault(
                ("wrong_clock", "miniprogram_events", day, f"{person.openids[visit.app]}:{visit.start}", "")
            )

    def _emit(self, visit: Visit, after_ms: int, context: Json, record: Json) -> None:
        at = visit.start + after_ms // 1000 + 1
        name = f"{record['distinct_id']}:{record['time']}:{record['type']}"
        self._scene.landing.line("miniprogram_events", name, min(at, self._scene.end - 1), context, record)

    def _ids(self, visit: Visit) -> Json:
        person, platform = visit.person, MINI_PROGRAMS[visit.app].open_platform_id
        login = person.login_id if visit.app == 0 and person.index in self._signed_up else None
        unionid = person.unionid(platform, visit.start)
        return wire.identities(visit, openid=person.openids[visit.app], unionid=unionid, login=login)

    def _note(self, visit: Visit, *, early: bool) -> None:
        scene, person, app = self._scene, visit.person, visit.app
        scene.see(person, device_node(person, app))
        if early and not visit.signs_up:
            return
        platform = MINI_PROGRAMS[app].open_platform_id
        nodes = [device_node(person, app), openid_node(person, app)]
        if person.unionid(platform, visit.start) is not None:
            nodes.append(unionid_node(person, platform))
        if app == 0 and person.index in self._signed_up:
            nodes.append(login_node(person))
        scene.link(person, *nodes)

    def _bind_mobile(self, visit: Visit, ids: Json, context: Json) -> None:
        person, at = visit.person, visit.start + 2
        number = person.phone_at(at).number
        self._emit(visit, 1500, context, wire.bind_mobile(visit, ids, number, 1500))
        self._scene.link_phone(person, login_node(person), at)
