"""LangGraph, by its documentation: a StateGraph with conditional edges and `Send`, run by `invoke`, at once by `ainvoke`.

With a store, its saver in memory or on SQLite and `durability="sync"`. It takes and prints what the Rust programs
beside it do (../common/src/lib.rs)."""

import asyncio
import operator
import os
import sys
import time
from typing import Annotated, TypedDict

os.environ["LANGSMITH_TRACING"] = "false"

from langgraph.graph import END, START, StateGraph  # noqa: E402
from langgraph.types import Send  # noqa: E402

CASE, N, STORE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
TEXT = "short string"
NAP, NAPS = 0.010, 10


class Work(TypedDict):
    count: int
    note: str
    blob: str
    results: Annotated[list[int], operator.add]
    pages: Annotated[list[str], operator.add]


def begin():
    blob = "x" * (1 << 20) if CASE == "big" else ""
    return {"count": 0, "note": "", "blob": blob, "results": [], "pages": []}


first = True


def step(state):
    global first
    count = state["count"] + 1
    if first and CASE == "cold":
        print(f"cold_ns={time.time_ns() - int(os.environ['PEERS_BORN'])}")
    first = False
    update = {"count": count, "note": TEXT}
    if CASE == "history":
        update["pages"] = [f"{count:08}" * 256]
    return update


def ring():
    graph = StateGraph(Work)
    graph.add_node("a", step)
    graph.add_node("b", step)
    graph.add_edge(START, "a")
    graph.add_edge("a", "b")
    graph.add_conditional_edges("b", lambda state: END if state["count"] >= N else "a", ["a", END])
    return graph


def chain(nodes, node):
    graph = StateGraph(Work)
    before = START
    for at in range(nodes):
        graph.add_node(f"n{at}", node)
        graph.add_edge(before, f"n{at}")
        before = f"n{at}"
    graph.add_edge(before, END)
    return graph


def fan_out():
    graph = StateGraph(Work)
    graph.add_node("worker", lambda state: {"results": [state["count"]]})
    graph.add_node("join", lambda state: {"count": sum(state["results"])})
    workers = [Send("worker", {"count": worker}) for worker in range(1, N + 1)]
    graph.add_conditional_edges(START, lambda state: workers, ["worker"])
    graph.add_edge("worker", "join")
    graph.add_edge("join", END)
    return graph


async def nap(state):
    await asyncio.sleep(NAP)
    return {"count": state["count"] + 1}


def saver():
    if STORE == "none":
        return None
    if STORE == "memory":
        from langgraph.checkpoint.memory import InMemorySaver

        return InMemorySaver()
    import sqlite3

    from langgraph.checkpoint.sqlite import SqliteSaver

    return SqliteSaver(sqlite3.connect(STORE.removeprefix("sqlite:"), check_same_thread=False))


def config(thread):
    return {"configurable": {"thread_id": thread}, "recursion_limit": 1_000_000_000}


def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))


def measure(run, alone):
    """Runs as often as the time allows, and prints the best time. `run` returns what is to be timed."""
    if not alone:
        run()()
    once = alone or STORE.startswith("sqlite")
    began, best, rounds, grown = time.perf_counter(), float("inf"), 0, 0
    while rounds < (1 if once else 3) or (not once and time.perf_counter() - began < 0.3):
        timed = run()
        before = memory("VmRSS:")
        start = time.perf_counter_ns()
        timed()
        best = min(best, time.perf_counter_ns() - start)
        grown = memory("VmHWM:") - before
        rounds += 1
    print(f"ns={best} n={N} rounds={rounds} grown_kb={max(grown, 0)}")


def one_by_one(graph, goal):
    threads = 0

    def run():
        nonlocal threads
        threads += 1
        thread, state = f"t{threads}", begin()
        app = graph.compile(checkpointer=saver())
        kept = {} if STORE == "none" else {"durability": "sync"}

        def timed():
            assert app.invoke(state, config(thread), **kept)["count"] == goal

        return timed

    measure(run, CASE in ("history", "cold"))


def at_once():
    app = chain(NAPS, nap).compile()

    async def all_of_them():
        runs = (app.ainvoke(begin(), config(f"t{run}")) for run in range(N))
        states = await asyncio.gather(*runs)
        assert all(state["count"] == NAPS for state in states)

    measure(lambda: lambda: asyncio.run(all_of_them()), True)


if CASE == "at-once":
    at_once()
elif CASE == "chain":
    one_by_one(chain(N, step), N)
elif CASE == "fan-out":
    one_by_one(fan_out(), sum(range(1, N + 1)))
else:
    one_by_one(ring(), N)
