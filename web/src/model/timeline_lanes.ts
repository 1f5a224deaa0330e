// Lanes and rows: a rank has lanes (thread, stream); a row is a rank, folded, or one lane of it.

export interface Lane {
  rank: number | null;
  pid: number | null;
  thread: number;
  stream: number;
  label: string;
}

export interface LaneTable {
  lanes: Lane[];
  ids: Map<string, number>;
}

export interface Row {
  key: string;
  rank: number | null;
  label: string;
  detail: string;
  lanes: number[];
  y: number;
  height: number;
  // A folded rank with several lanes, an open one, a lane of an open one, or a rank with one lane only.
  kind: "folded" | "open" | "lane" | "single";
}

export interface RowLayout {
  rows: Row[];
  height: number;
  row_of_lane: number[]; // by lane id; -1: none
}

export const kRankHeight = 28;
export const kHeadHeight = 24;
export const kLaneHeight = 24;

export function lane_table(): LaneTable {
  return { lanes: [], ids: new Map() };
}

// The table's id for each lane of an answer: answers number their lanes each for itself.
export function lane_ids(table: LaneTable, lanes: Lane[]): number[] {
  return lanes.map((lane) => {
    const key = `${lane.rank}/${lane.pid}/${lane.thread}/${lane.stream}`;
    const known = table.ids.get(key);
    if (known !== undefined) return known;
    table.ids.set(key, table.lanes.length);
    table.lanes.push(lane);
    return table.lanes.length - 1;
  });
}

export function rank_key(rank: number | null): string {
  return rank === null ? "none" : String(rank);
}

function group_by_rank(lanes: Lane[]): Map<string, number[]> {
  const order = lanes.map((_, i) => i).sort((a, b) => compare_lanes(lanes[a]!, lanes[b]!));
  const groups = new Map<string, number[]>();
  for (const i of order) {
    const key = rank_key(lanes[i]!.rank);
    const group = groups.get(key);
    if (group) group.push(i);
    else groups.set(key, [i]);
  }
  return groups;
}

function compare_lanes(a: Lane, b: Lane): number {
  const rank = (a.rank ?? Infinity) - (b.rank ?? Infinity);
  if (rank !== 0 && !Number.isNaN(rank)) return rank;
  return (a.pid ?? 0) - (b.pid ?? 0) || a.thread - b.thread || a.stream - b.stream;
}

export function lane_name(lane: Lane): string {
  return lane.stream > 0 ? `thread ${lane.thread} · stream ${lane.stream}` : `thread ${lane.thread}`;
}

// Few ranks get high rows, many get low ones that still can be read.
export function rank_height(ranks: number, room: number): number {
  return Math.round(Math.min(64, Math.max(kRankHeight, room / Math.max(1, ranks))));
}

export function rows_of(table: LaneTable, open: Set<string>, room = 0): RowLayout {
  const high = rank_height(new Set(table.lanes.map((l) => l.rank)).size, room);
  const rows: Row[] = [];
  const row_of_lane = table.lanes.map(() => -1);
  let y = 0;
  const add = (row: Omit<Row, "y">) => {
    for (const lane of row.kind === "open" ? [] : row.lanes) row_of_lane[lane] = rows.length;
    rows.push({ ...row, y });
    y += row.height;
  };
  for (const [key, lanes] of group_by_rank(table.lanes)) {
    const first = table.lanes[lanes[0]!]!;
    const label = first.rank === null ? "no rank" : `rank ${first.rank}`;
    const detail = lanes.length > 1 ? `${lanes.length} lanes` : first.pid === null ? "" : `pid ${first.pid}`;
    const kind = lanes.length === 1 ? "single" : open.has(key) ? "open" : "folded";
    const height = kind === "open" ? kHeadHeight : high;
    add({ key, rank: first.rank, label, detail, lanes, height, kind });
    if (kind !== "open") continue;
    for (const lane of lanes) {
      const l = table.lanes[lane]!;
      const of = l.pid === null ? "" : `pid ${l.pid}`;
      add({ key: `${key}:${lane}`, rank: l.rank, label: lane_name(l), detail: of, lanes: [lane], height: kLaneHeight, kind: "lane" });
    }
  }
  return { rows, height: y, row_of_lane };
}

export function row_at(layout: RowLayout, y: number): number {
  return layout.rows.findIndex((r) => y >= r.y && y < r.y + r.height);
}
