// Orders rows; what is unknown comes last either way.
export type Key = string | number | null | undefined;

export function compare_keys(a: Key, b: Key, descending: boolean): number {
  const a_unknown = a === null || a === undefined;
  const b_unknown = b === null || b === undefined;
  if (a_unknown || b_unknown) return Number(a_unknown) - Number(b_unknown);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return descending ? -order : order;
}

export function sorted<T>(rows: T[], key: (row: T) => Key, descending: boolean): T[] {
  return rows.map((row, i) => ({ row, i, k: key(row) }))
    .sort((a, b) => compare_keys(a.k, b.k, descending) || a.i - b.i)
    .map(({ row }) => row);
}
