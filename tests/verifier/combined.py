"""Cross-model operations as an honest producer writes them, in steps that a test can bend."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.verifier import build
from tests.verifier.scene import Payload, Scene

INSIGHT = 'two "things"\nand a third \u20ac'
SUMMARY = "two things"
KINDS = ("insight", "transfer", "execution")


def moment(tick: int) -> str:
    return (build.EPOCH + timedelta(microseconds=500 * tick)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Combined(Scene):
    """A scene with operations; bodies and parents of all steps are kept by name."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.body: dict[str, Payload] = {}
        self.kind: dict[str, str] = {}
        self.named: dict[str, list[Any]] = {}
        self.joined: dict[str, tuple[build.Ledger, int]] = {}
        self.tick = 0
        self.operation: Payload = {"name": "review", "number": 1}
        self.plain = False

    def join(self, step: str, other: Combined, theirs: str, ledger: bool = True) -> None:
        """Let a step stand for one of another scene: of another ledger, or of another session."""
        self.body[step], self.kind[step] = other.body[theirs], other.kind[theirs]
        if ledger:
            self.joined[step] = (other.ledger, other.at[theirs])
        else:
            self.at[step] = other.at[theirs]

    def add(self, step: str, kind: str, body: Payload, parents: list[str] | None = None) -> None:
        self.body[step], self.kind[step] = body, kind
        self.named[step] = parents or []
        if step in self.skip:
            return
        found: list[Any] = []
        for name in parents or []:
            if name in self.joined:
                there, index = self.joined[name]
                found.append(self.ledger.named(index, there))
            elif name in self.at:
                found.append(self.at[name])
        self.at[step] = self.ledger.add(
            kind,
            copy.deepcopy(body),  # what is bent is not what the steps after it go by
            stream=self.stream,
            session=None if self.plain else self.session,
            parents=found or None,
            change=self.bend.get(step),
        )

    def span(self) -> Payload:
        self.tick += 2
        return {"started_at": moment(self.tick - 2), "ended_at": moment(self.tick - 1)}

    def call(
        self, step: str, model: str, prompt: bytes, cost: float | None = 0.25,
        media_type: str = "text/plain", tokens: int | None = 100, **more: Any,
    ) -> None:  # fmt: skip
        """A witness of a call."""
        body = build.witness(b"")
        body["model"] = {"model_id": model, "system_fingerprint": f"{model}-fp"}
        body["data"]["prompt_hash"] = self.ref(prompt, media_type)
        spent: Payload = {} if cost is None else {"cost_usd": cost, "price_table": "p-1"}
        if tokens is not None:
            spent["tokens_used"] = tokens
        if spent:
            body["cost"] = spent
        self.add(step, "witness", body | more)

    def made(self, parents: list[str], made_with: int | None) -> Payload:
        """Two fields of a stage; unless told, it was made with the calls and wholes at the end."""
        if made_with is None:
            made_with = 0
            for name in reversed(parents):
                if self.kind[name] not in ("witness", "cross_model"):
                    break
                made_with += 1
        inside = parents[len(parents) - made_with :]
        return {"made_with": made_with, "usage": self.usage(inside)}

    def usage(self, inside: list[str]) -> Payload:
        """What own parents inside of a stage add up to, by the words of the page."""
        operations = priced = 0
        costs, tokens = [], []
        for name in inside:
            if name in self.joined:
                continue
            body = self.body[name]
            if self.kind[name] == "witness":
                operations += 1
                cost = body.get("cost", {})
                if "cost_usd" in cost:
                    priced += 1
                    costs.append(cost["cost_usd"])
                if "tokens_used" in cost:
                    tokens.append(cost["tokens_used"])
                elif "total_tokens" in body["output"]:
                    tokens.append(body["output"]["total_tokens"])
            elif self.kind[name] == "cross_model":
                operations += body["cost"]["operations"]
                priced += body["cost"]["priced"]
                costs += [body["cost"]["total_usd"]] if "total_usd" in body["cost"] else []
                tokens += [body["cost"]["tokens"]] if "tokens" in body["cost"] else []
        found: Payload = {"operations": operations, "priced": priced}
        if costs:
            found["cost_usd"] = sum(costs, 0.0)
        if tokens:
            found["tokens"] = sum(tokens)
        return found

    def work(
        self, step: str, kind: str, model: str, output: str, parents: list[str],
        made_with: int | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """An insight or an execution."""
        body = {
            "operation": dict(self.operation), "label": step, "model_id": model,
            "output": self.ref(output.encode(), "text/plain"),
            **self.made(parents, made_with), **self.span(), **more,
        }  # fmt: skip
        self.add(step, kind, body, parents)

    def transfer(
        self, step: str, model: str, parents: list[str], delivered: str | None = None,
        made_with: int | None = None, **more: Any,
    ) -> None:  # fmt: skip
        source = self.body[parents[0]]
        said = {"model_id": source["model_id"]}
        if "model_version" in source:
            said["model_version"] = source["model_version"]
        body: Payload = {
            "operation": dict(self.operation), "label": step, "source": said,
            "target": {"model_id": model}, "content": dict(source["output"]),
            **self.made(parents, made_with), **self.span(),
        }  # fmt: skip
        if delivered is None:
            body["completeness"] = 1.0
        else:
            body["delivered"] = self.ref(delivered.encode(), "text/plain")
            sizes = body["content"]["size_bytes"], body["delivered"]["size_bytes"]
            if sizes[1]:
                body["compression_ratio"] = sizes[0] / sizes[1]
            if "atoms" in more and "atoms" in source:
                body["completeness"] = len(more["atoms"]) / len(source["atoms"])
        self.add(step, "transfer", body | more, parents)

    def provenance(self, step: str, parts: list[str], **more: Any) -> None:
        steps = [{"stage": self.kind[name], "label": name} for name in parts]
        body = {"operation": dict(self.operation), "steps": steps, **more}
        self.add(step, "provenance", body, parts)

    def combine(self, step: str, provenance: str, **cost: Any) -> None:
        """A cross_model over the parts of a provenance, by the words of the page."""
        parts = self.named[provenance]
        of = {kind: [name for name in parts if self.kind[name] == kind] for kind in KINDS}
        stages = [self.body[name] for kind in KINDS for name in of[kind]]
        body: Payload = {
            "version": 2, "operation": dict(self.operation),
            "started_at": min(one["started_at"] for one in stages),
            "ended_at": max(one["ended_at"] for one in stages),
        }  # fmt: skip
        for kind in KINDS:
            body[f"{kind}s"] = [self.repeated(name) for name in of[kind]]
        scores = [one["confidence"] for one in stages if "confidence" in one]
        if scores:
            body["confidence"] = min(scores)
            body["confidence_band"] = "A" if min(scores) >= 0.95 else "B"
            if min(scores) < 0.8:
                body["confidence_band"] = "C"
        spans = [
            build.datetime.fromisoformat(body[name].replace("Z", "+00:00"))
            for name in ("started_at", "ended_at")
        ]
        body["duration_ms"] = ((spans[1] - spans[0]) // timedelta(microseconds=1)) / 1000.0
        quality = self.quality(of)
        if quality:
            body["quality"] = quality
        body["cost"] = self.cost(of, stages, quality, cost)
        names = [name for kind in KINDS for name in of[kind]]
        self.add(step, "cross_model", body, [*names, provenance])

    def repeated(self, name: str) -> Payload:
        body = self.body[name]
        kept = ["confidence", "quality"]
        if self.kind[name] != "transfer":
            return {k: body[k] for k in ["model_id", "model_version", *kept] if k in body}
        passed = [one["passed"] for one in body.get("checks", [])]
        counts = {"passed": passed.count(True), "failed": passed.count(False)}
        return counts | {k: body[k] for k in ["completeness", *kept] if k in body}

    def quality(self, of: dict[str, list[str]]) -> Payload:
        components: Payload = {}
        for kind in KINDS:
            some = [self.body[n]["quality"] for n in of[kind] if "quality" in self.body[n]]
            if some:
                components[kind] = sum(some, 0.0) / len(some)
        if not components:
            return {}
        found: Payload = {"components": components}
        some = [components[kind] for kind in KINDS if kind in components]
        found["overall"] = sum(some, 0.0) / len(some)
        if "insight" in components and "execution" in components:
            a, b = components["insight"], components["execution"]
            found["degradation"] = a - b
            found["preservation"] = 1.0 if a == 0.0 else min(1.0, b / a)
        return found

    def cost(
        self, of: dict[str, list[str]], stages: list[Payload], quality: Payload, more: Payload
    ) -> Payload:
        usages = [one["usage"] for one in stages]
        cost: Payload = {k: sum(u[k] for u in usages) for k in ("operations", "priced")} | more
        if any("tokens" in u for u in usages):
            cost["tokens"] = sum(u.get("tokens", 0) for u in usages)
        breakdown = {}
        for kind in KINDS:
            own = [self.body[name]["usage"] for name in of[kind]]
            some = [u["cost_usd"] for u in own if "cost_usd" in u]
            if some:
                breakdown[kind] = sum(some, 0.0)
        if not breakdown:
            return cost
        total = sum((breakdown[kind] for kind in KINDS if kind in breakdown), 0.0)
        cost |= {"breakdown": breakdown, "total_usd": total}
        if cost.get("tokens"):
            cost["cost_per_token_usd"] = total / cost["tokens"]
        if quality.get("overall"):
            cost["cost_per_quality_point_usd"] = total / (quality["overall"] * 100.0)
        if "baseline_usd" in more:
            base = more["baseline_usd"]
            cost["optimised_usd"] = total
            if base:
                cost["reduction_percent"] = (base - total) / base * 100.0
                cost["effectiveness"] = min(1.0, max(0.0, cost["reduction_percent"] / 100.0))
                if "preservation" in quality:
                    cost["efficiency"] = cost["effectiveness"] * quality["preservation"]
        return cost


def rated(confidence: float, quality: float) -> Payload:
    return {
        "confidence": confidence, "confidence_method": "verbal",
        "quality": quality, "quality_method": "a judge",
    }  # fmt: skip


def prompt(*texts: str) -> bytes:
    """A request in JSON in which texts are escaped."""
    return json.dumps(
        {"messages": [{"role": "user", "content": f"> {t} <"} for t in texts]}
    ).encode()


def story(
    insert: dict[str, Callable[[Combined], None]] | None = None,
    claims: Payload | None = None,
    **given: Any,
) -> Combined:
    """A strong model thinks, a summary and the whole are handed over, a cheap one answers twice."""
    s = Combined(**given)

    def after(step: str) -> None:
        if insert is not None and step in insert:
            insert[step](s)

    s.call("w_think", "strong", b"the question", 0.5)
    s.call("w_tool", "lookup", b"a tool", None, operation="execute_tool")
    question = s.body["w_think"]["data"]["prompt_hash"]
    s.work(
        "i", "insight", "strong", INSIGHT, ["w_think", "w_tool"], model_version="strong-fp",
        atoms=["a-1", "a-2"], metadata={"round": 1, "who": "lab", "blind": True, "weight": 0.5},
        trace={"trace_id": "1" * 32, "span_id": "2" * 16}, **rated(0.9, 0.8),
    )  # fmt: skip
    after("i")
    s.call("w_short", "middle", b"shorten this", 0.125, tokens=None)
    checks = [{"name": "facts", "passed": True, "score": 1.0}, {"name": "tone", "passed": False}]
    said = {"model_id": "strong", "model_version": "strong-fp", "context": question}
    s.transfer(
        "t_short", "cheap", ["i", "w_short"], SUMMARY, atoms=["a-2"], checks=checks,
        latency_ms=1.5, source=said, **rated(0.8, 0.5),
    )  # fmt: skip
    media_type = "application/json; charset=utf-8"
    asked = s.ref(prompt(SUMMARY, INSIGHT), media_type)
    told = {"model_id": "cheap", "model_version": "cheap-fp", "context": asked}
    s.transfer("t_whole", "cheap", ["i"], target=told)
    after("t_whole")
    s.call("w_answer", "cheap", prompt(SUMMARY, INSIGHT), 0.0625, media_type)
    s.work(
        "e", "execution", "cheap", "the answer", ["t_short", "t_whole", "w_answer"],
        model_version="cheap-fp", **rated(0.95, 0.75),
    )  # fmt: skip
    after("e")
    s.call("w_again", "cheap", b"again: two things!", None)
    s.work("e_again", "execution", "cheap", "once more", ["t_short", "w_again"])
    after("e_again")
    more = {} if claims is None else {"claims": claims}
    s.provenance("p", ["i", "t_short", "t_whole", "e", "e_again"], **more)
    after("p")
    s.combine("c", "p", baseline_usd=4.0, baseline_method="strong throughout")
    after("c")
    return s
