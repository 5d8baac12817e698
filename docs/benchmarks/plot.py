#!/usr/bin/env python3
"""Draws the plots of BENCHMARKS.md and writes its tables, from the results beside this script.

    docs/benchmarks/plot.py

results.jsonl has the servers, scale.jsonl what grows with connections, size and rooms, clients.jsonl the clients: a line for each run. Only Python's
standard library is needed. A table goes between the two comments in BENCHMARKS.md that name it.
"""
import json
import math
import os
import re
import statistics

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "..", "..", "BENCHMARKS.md")

# Readable on white and on black; GitHub shows the same file on either.
INK, FAINT = "#768390", "#76839055"
# Peer: name, colour, shape. Where a peer has several forms, the one with the best median counts in each scenario.
PEERS = {
    "ours": ("this one", "#2f81f7", "disc"),
    "socketioxide": ("socketioxide", "#e16f24", "disc"),
    "node": ("official server, Node.js", "#3fa34d", "disc"),
    "python": ("python-socketio", "#a371f7", "disc"),
    "floor-tungstenite": ("bare tungstenite", INK, "ring"),
    "floor-tokio": ("bare tokio", INK, "square"),
}
FORMS = {
    "socketioxide": ["socketioxide", "socketioxide-st", "socketioxide-raw", "socketioxide-mi"],
    "node": ["node", "node24"],
}
MSG, DELIVERY, CONNECT = "server_cpu_us_per_msg", "server_cpu_ns_per_delivery", "server_cpu_us_per_connect"
# Run, what it is, figure, divisor, target: what it is relative to, and how much at the most.
TARGETS = [
    ("echo-64", "echo, 1 in flight on each of 64 connections", MSG, 1, [("floor-tungstenite", 1.10)]),
    ("echo-64-w16", "echo, 16 in flight on each of 64", MSG, 1, [("floor-tungstenite", 1.35)]),
    ("echo-1k", "echo of 1 KB of JSON, 4 in flight", MSG, 1, [("floor-tungstenite", 1.5)]),
    ("echo-1k-typed", "the same, read into types of the program's", MSG, 1, [("floor-tungstenite", 3.0)]),
    ("echo-64k", "echo of 64 KB of JSON", MSG, 1, [("floor-tungstenite", 1.5)]),
    ("echo-64k-str", "echo of one string of 64 KB", MSG, 1, [("floor-tungstenite", 1.5)]),
    ("bin-1k", "echo of a binary attachment of 1 KB", MSG, 1, [("socketioxide", 1.0)]),
    ("ack-64-w16", "acknowledged event, 16 in flight on each of 64", MSG, 1, [("floor-tungstenite", 1.5)]),
    ("fanout-1000", "broadcast to 1000, per recipient", DELIVERY, 1000, [("floor-tungstenite", 1.0), ("floor-tokio", 1.10)]),
    ("fanout-1000-1k", "the same with 1 KB of JSON", DELIVERY, 1000, [("floor-tungstenite", 1.0), ("floor-tokio", 1.10)]),
    ("fanout-1000-bin", "the same with a binary attachment of 1 KB", DELIVERY, 1000, [("floor-tungstenite", 1.0), ("floor-tokio", 1.10)]),
    ("fanout-1000-o8", "broadcast to 1000, 8 broadcasts in flight", DELIVERY, 1000, [("floor-tungstenite", 1.0), ("floor-tokio", 1.10)]),
    ("fanout-10000", "broadcast to 10 000", DELIVERY, 1000, [("floor-tungstenite", 1.0), ("floor-tokio", 1.10)]),
    ("fanout-10000-1k", "the same with 1 KB of JSON", DELIVERY, 1000, [("floor-tungstenite", 1.0), ("floor-tokio", 1.10)]),
    ("all-1000", "broadcast to everybody, 1000", DELIVERY, 1000, [("floor-tungstenite", 1.0), ("floor-tokio", 1.10)]),
    ("connect-ws", "connecting over WebSocket", CONNECT, 1, [("floor-tungstenite", 1.3)]),
    ("connect-upgrade", "connecting over polling, and the upgrade", CONNECT, 1, [("socketioxide", 0.8)]),
    ("poll-echo-64", "echo over long-polling, 1 in flight on each of 64", MSG, 1, [("socketioxide", 0.7)]),
    ("poll-echo-64-w16", "the same, 16 in flight", MSG, 1, [("socketioxide", 0.7)]),
]
MEMORY = [
    ("idle-1000", "idle, 1000 connections", "rss_per_conn"),
    ("idle-10000", "idle, 10 000 connections", "rss_per_conn"),
    ("idle-10000", "after 10 messages each", "rss_per_conn_used"),
    ("idle-10000", "still held after all have left", "rss_left_per_conn"),
    ("idle-10000-poll", "long-polling, 10 000 sessions", "rss_per_conn"),
]


def load(name):
    path = os.path.join(HERE, name)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


class Results:
    """Figures by run, peer and round."""

    def __init__(self, rows):
        self.rows = rows

    def rounds(self, run, peer, field):
        """Round -> figure; of the form of the peer that has the best median."""
        forms = []
        for form in FORMS.get(peer, [peer]):
            figures = {row["round"]: row[field] for row in self.rows if row["run"] == run and row["peer"] == form and field in row}
            if figures:
                forms.append((statistics.median(figures.values()), form, figures))
        return min(forms)[2] if forms else {}

    def median(self, run, peer, field):
        values = self.rounds(run, peer, field).values()
        return statistics.median(values) if values else None

    def ratio(self, run, peer, other, field):
        """Median over the rounds of the ratio within a round: a slow spell of the machine cancels."""
        a, b = self.rounds(run, peer, field), self.rounds(run, other, field)
        ratios = [a[key] / b[key] for key in a if b.get(key)]
        return statistics.median(ratios) if ratios else None


def number(value, digits=3):
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    text = f"{value:.{digits}g}"
    return text if "e" not in text else f"{value:.0f}"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def main_table(results):
    names = list(PEERS)
    lines = [row(["", *(PEERS[name][0] for name in names), "target", "reached"]), row(["---"] * (len(names) + 3))]
    for run, what, field, divisor, targets in TARGETS:
        figures = [results.median(run, name, field) for name in names]
        if figures[0] is None:
            continue
        cells = [number(value / divisor if value is not None else None) for value in figures]
        wanted, reached = [], []
        for other, most in targets:
            ratio = results.ratio(run, "ours", other, field)
            wanted.append(f"≤ {most:.2f} × {PEERS[other][0]}")
            if ratio is not None:
                reached.append(f"{ratio:.2f} ×" + ("" if ratio <= most else " **missed**"))
        lines.append(row([what, *cells, "; ".join(wanted), "; ".join(reached)]))
    return lines


def outside_table(results):
    """The same without the kernel's part."""
    names = [name for name in PEERS if name not in ("node", "python")]
    lines = [row(["", *(PEERS[name][0] for name in names), "of socketioxide", "of bare tungstenite"]), row(["---"] * (len(names) + 3))]
    for run, what, field, divisor, _ in TARGETS:
        field = field.replace("_cpu_", "_user_")
        figures = [results.median(run, name, field) for name in names]
        ratios = [results.ratio(run, "ours", other, field) for other in ("socketioxide", "floor-tungstenite")]
        cells = [number(value / divisor if value is not None else None) for value in figures]
        lines.append(row([what, *cells, *(f"{ratio:.2f} ×" if ratio else "–" for ratio in ratios)]))
    return lines


def memory_table(results):
    names = list(PEERS)
    lines = [row(["", *(PEERS[name][0] for name in names)]), row(["---"] * (len(names) + 1))]
    for run, what, field in MEMORY:
        figures = [results.median(run, name, field) for name in names]
        if figures[0] is not None:
            lines.append(row([what, *(number(value) for value in figures)]))
    return lines


def other_table(results, runs):
    """Blocks of other figures: [(run, [(figure, what, divisor)])]."""
    names = list(PEERS)
    lines = [row(["", *(PEERS[name][0] for name in names)]), row(["---"] * (len(names) + 1))]
    for run, fields in runs:
        for field, what, divisor in fields:
            cells = []
            for name in names:
                forms = FORMS.get(name, [name])
                found = [r[field] for r in results.rows if r["run"] == run and r["peer"] in forms and field in r]
                if found and isinstance(found[0], str):
                    cells.append(" / ".join(sorted(set(found))))
                else:
                    cells.append(number(statistics.median(found) / divisor) if found else "–")
            if any(cell != "–" for cell in cells):
                lines.append(row([what, *cells]))
    return lines


CHURN = [
    ("server_cpu_us_per_session", "CPU µs per session", 1),
    ("rss_growth_per_conn", "growth of resident memory, bytes per session", 1),
    ("late_growth_per_conn", "of that in the second half", 1),
]
SLOW = [
    ("peak_rss_growth_mb", "growth of resident memory at its peak, MB", 1),
    ("calm_last_p50_us", "the others' median latency, µs, before", 1),
    ("others_last_p50_us", "and beside the slow one", 1),
    ("slow_missed", "messages that the slow one never got", 1),
    ("slow_end", "the slow one is in the end", 1),
]


def scale_table(scale, runs):
    names = [name for name in PEERS if any(r["peer"] in FORMS.get(name, [name]) for r in scale.rows)]
    lines = [row(["", *(PEERS[name][0] for name in names)]), row(["---"] * (len(names) + 1))]
    for run, what, field, divisor in runs:
        figures = [scale.median(run, name, field) for name in names]
        if any(value is not None for value in figures):
            cells = [number(value / divisor if value is not None else None) for value in figures]
            lines.append(row([what, *cells]))
    return lines


CONNECTIONS = [64, 256, 1000, 4000, 10000]
SIZES = [42, 256, 1024, 4096, 16384, 65536]
ROOMS = [1, 10, 100, 1000, 10000]
PANELS = [
    ("connections", "connections", CONNECTIONS, "c", MSG, 1, "µs per message, 1 in flight on each"),
    ("size", "bytes of JSON", SIZES, "s", MSG, 1, "µs per message, 1 in flight on 16"),
    ("rooms", "rooms", ROOMS, "r", DELIVERY, 1000, "µs per recipient of 100"),
]


def panel_table(scale, panel):
    _, what, values, letter, field, divisor, _ = panel
    return scale_table(scale, [(f"{letter}{value}", f"{number(value)} {what if value > 1 else what.rstrip('s')}", field, divisor) for value in values])


def client_table(rows):
    if not rows:
        return []
    clients = Results(rows)
    names = list(dict.fromkeys(r["peer"] for r in rows))
    names.sort(key=lambda name: name != "ours")
    shown = {"ours": "this one", "node-client": "official client, Node.js"}
    lines = [row(["", *(shown.get(name, name) for name in names)]), row(["---"] * (len(names) + 1))]
    for run, what, field in [
        ("client-pingpong", "CPU µs per message, one client, 1 in flight", "cpu_us_per_msg"),
        ("client-64-w1", "64 clients, 1 in flight on each", "cpu_us_per_msg"),
        ("client-64-w16", "64 clients, 16 in flight on each", "cpu_us_per_msg"),
        ("client-idle-1000", "resident memory per idle client, bytes", "rss_per_client"),
    ]:
        lines.append(row([what, *(number(clients.median(run, name, field)) for name in names)]))
    return lines


# Drawing.


class Svg:
    def __init__(self, width, height):
        self.size = (width, height)
        self.parts = []

    def add(self, text):
        self.parts.append(text)

    def text(self, x, y, text, anchor="start", size=13, colour=INK, weight="normal"):
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" font-weight="{weight}">{text}</text>')

    def line(self, x1, y1, x2, y2, colour=FAINT, width=1):
        self.add(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>')

    def mark(self, x, y, peer, radius=5):
        _, colour, shape = PEERS[peer]
        if shape == "disc":
            self.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>')
        elif shape == "ring":
            self.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius - 0.5}" fill="none" stroke="{colour}" stroke-width="2"/>')
        else:
            side = 2 * radius - 2
            self.add(f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side}" height="{side}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def legend(self, x, y, names, step=None):
        for name in names:
            self.mark(x, y - 4, name)
            label = PEERS[name][0]
            self.text(x + 11, y, label, colour=PEERS[name][1])
            x += step or 11 + 7 * len(label) + 22

    def save(self, name, title):
        width, height = self.size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{title}"'
        head += ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">'
        with open(os.path.join(HERE, name), "w", encoding="utf-8") as out:
            out.write("\n".join([head, f"<title>{title}</title>", *self.parts, "</svg>", ""]))


def ticks(low, high):
    """1, 2, 5 times powers of ten within the bounds; powers alone over a wide range."""
    steps = (1, 2, 5) if high / low < 300 else (1,)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def scale_of(low, high, start, end):
    return lambda value: start + (math.log(value) - math.log(low)) / (math.log(high) - math.log(low)) * (end - start)


def plot_cpu(results):
    runs = [target for target in TARGETS if results.median(target[0], "ours", target[2]) is not None]
    if not runs:
        return
    left, right, top, step = 330, 30, 64, 26
    width, height = 940, top + step * len(runs) + 42
    values = [
        value / divisor
        for run, _, field, divisor, _ in runs
        for name in PEERS
        if (value := results.median(run, name, field))
    ]
    low, high = min(values) * 0.85, max(values) * 1.15
    at = scale_of(low, high, left, width - right)
    svg = Svg(width, height)
    svg.legend(14, 22, PEERS)
    bottom = top + step * len(runs) - 6
    for value in ticks(low, high):
        svg.line(at(value), top - 14, at(value), bottom)
        svg.text(at(value), bottom + 18, number(value), "middle", 12)
    svg.text((left + width - right) / 2, height - 4, "CPU time of the server, µs per message, recipient or connection (logarithmic; less is better)", "middle", 12)
    for index, (run, what, field, divisor, _) in enumerate(runs):
        y = top + step * index
        svg.text(left - 14, y + 4, what, "end")
        svg.line(left, y, width - right, y)
        for name in reversed(PEERS):
            value = results.median(run, name, field)
            if value is not None:
                svg.mark(at(value / divisor), y, name, 6.5 if name == "ours" else 5)
    svg.save("cpu.svg", "CPU time of servers per message")


def plot_memory(results):
    runs = [entry for entry in MEMORY if results.median(entry[0], "ours", entry[2]) is not None]
    names = [name for name in PEERS if any(results.median(run, name, field) for run, _, field in runs)]
    if not runs:
        return
    left, bar, gap, width = 230, 15, 16, 940
    height = 46 + sum(len(names) * bar + gap for _ in runs) + 8
    most = max(results.median(run, name, field) or 0 for run, _, field in runs for name in names)
    svg = Svg(width, height)
    svg.text(14, 22, "resident memory, bytes per connection (less is better)", size=13)
    y = 46
    for run, what, field in runs:
        bars = [(name, value) for name in names if (value := results.median(run, name, field)) is not None]
        svg.text(14, y + bar * len(bars) / 2 + 4, what)
        for name, value in bars:
            length = max(2.0, value / most * (width - left - 260))
            label, colour, _ = PEERS[name]
            svg.add(f'<rect x="{left}" y="{y + 1:.1f}" width="{length:.1f}" height="{bar - 3}" rx="2" fill="{colour}"/>')
            svg.text(left + length + 8, y + bar - 4, f"{number(value)}  {label}", size=12, colour=colour)
            y += bar
        y += gap
    svg.size = (width, y)
    svg.save("memory.svg", "Memory per connection")


def plot_scale(scale):
    if not scale.rows:
        return
    width, height, top, bottom = 940, 330, 74, 52
    names = [name for name in PEERS if any(r["peer"] in FORMS.get(name, [name]) for r in scale.rows)]
    svg = Svg(width, height)
    svg.legend(14, 22, names)
    panels = [panel for panel in PANELS if len(panel_table(scale, panel)) > 2]
    room = (width - 14) / len(panels)
    for index, (_, what, values, letter, field, divisor, unit) in enumerate(panels):
        left, right = 14 + index * room + 40, 14 + (index + 1) * room - 22
        points = {
            name: [(value, figure / divisor) for value in values if (figure := scale.median(f"{letter}{value}", name, field))]
            for name in names
        }
        figures = [figure for line in points.values() for _, figure in line]
        low, high = min(figures) * 0.8, max(figures) * 1.25
        x_of = scale_of(values[0], values[-1], left, right)
        y_of = scale_of(low, high, height - bottom, top)
        svg.text(left - 34, top - 16, unit, size=12)
        for value in ticks(low, high):
            svg.line(left, y_of(value), right, y_of(value))
            svg.text(left - 6, y_of(value) + 4, number(value), "end", 11)
        for value in dict.fromkeys(x for line in points.values() for x, _ in line):
            svg.text(x_of(value), height - bottom + 18, number(value), "middle", 11)
        svg.text((left + right) / 2, height - 10, what, "middle", 12)
        for name in reversed(names):
            path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points[name])
            colour = PEERS[name][1]
            svg.add(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{2.5 if name == "ours" else 1.5}"/>')
            for x, y in points[name]:
                svg.mark(x_of(x), y_of(y), name, 4.5)
    svg.save("scale.svg", "CPU time against connections, size of messages and rooms")


def main():
    results, scale = Results(load("results.jsonl")), Results(load("scale.jsonl"))
    plot_cpu(results)
    plot_memory(results)
    plot_scale(scale)
    tables = {
        "servers": main_table(results),
        "outside": outside_table(results),
        "memory": memory_table(results),
        "churn": other_table(results, [("churn", CHURN)]),
        "slow": other_table(results, [("slow", SLOW)]),
        "clients": client_table(load("clients.jsonl")),
        **{panel[0]: panel_table(scale, panel) for panel in PANELS},
    }
    with open(PAGE, encoding="utf-8") as page:
        text = page.read()
    for name, lines in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        text, found = re.subn(pattern, lambda _: "\n".join([begin, *lines, end]), text, flags=re.S)
        if found != 1 and len(lines) > 2:
            raise SystemExit(f"BENCHMARKS.md has {found} places for the table {name}")
    with open(PAGE, "w", encoding="utf-8") as page:
        page.write(text)


if __name__ == "__main__":
    main()
