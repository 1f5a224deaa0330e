// What people type to find an operation: names, "bytes > 1 MB", "error", "rank 2", "sequence 48211", "comm tp".

export interface Search {
  operation: string | null;
  communicator: string | null;
  rank: number | null;
  sequence: number | null;
  min_bytes: number | null;
  max_bytes: number | null;
  error: boolean;
}

export type SearchResult = { ok: true; search: Search } | { ok: false; message: string };

const kUnits: Record<string, number> = {
  "": 1, b: 1, k: 1024, kb: 1024, kib: 1024, m: 1024 ** 2, mb: 1024 ** 2, mib: 1024 ** 2, g: 1024 ** 3, gb: 1024 ** 3, gib: 1024 ** 3,
};

const kParts: [RegExp, (s: Search, m: RegExpMatchArray) => string | null][] = [
  [/^bytes\s*(>=|<=|>|<|=|:)\s*([\d.]+)\s*([a-z]*)/i, bytes_part],
  [/^rank\s*[:=]?\s*(\d+)/i, (s, m) => ((s.rank = Number(m[1])), null)],
  [/^(?:sequence|seq|#)\s*[:=]?\s*(\d+)/i, (s, m) => ((s.sequence = Number(m[1])), null)],
  [/^(?:communicator|comm)\s*[:=]?\s*(\S+)/i, (s, m) => ((s.communicator = m[1]!), null)],
  [/^(?:errors?|failed)(?=\s|$)/i, (s) => ((s.error = true), null)],
  [/^[a-z_][a-z_,]*(?=\s|$)/i, (s, m) => ((s.operation = m[0].toLowerCase()), null)],
];

function bytes_part(s: Search, m: RegExpMatchArray): string | null {
  const unit = kUnits[m[3]!.toLowerCase()];
  const value = Number(m[2]);
  if (unit === undefined || Number.isNaN(value)) return `"${m[0]}" is no size; write bytes > 1 MB.`;
  const bytes = Math.round(value * unit);
  const sign = m[1];
  if (sign === ">") s.min_bytes = bytes + 1;
  if (sign === "<") s.max_bytes = bytes - 1;
  if (sign === ">=" || sign === "=" || sign === ":") s.min_bytes = bytes;
  if (sign === "<=" || sign === "=" || sign === ":") s.max_bytes = bytes;
  return null;
}

export function parse_search(text: string): SearchResult {
  const search: Search = {
    operation: null, communicator: null, rank: null, sequence: null, min_bytes: null, max_bytes: null, error: false,
  };
  let rest = text.trim();
  while (rest.length > 0) {
    let met = false;
    for (const [form, apply] of kParts) {
      const m = rest.match(form);
      if (!m) continue;
      const trouble = apply(search, m);
      if (trouble) return { ok: false, message: trouble };
      rest = rest.slice(m[0].length).trim();
      met = true;
      break;
    }
    if (!met) {
      const word = rest.split(/\s/)[0];
      return { ok: false, message: `"${word}" is not understood; try all_reduce, bytes > 1 MB, error, rank 2, sequence 12.` };
    }
  }
  return { ok: true, search };
}

// The filters that the server knows. The sequence is not one of them: pages are looked through for it.
export function search_query(s: Search): Record<string, string> {
  const query: Record<string, string> = {};
  if (s.operation !== null) query.operation = s.operation;
  if (s.communicator !== null) query.communicator = s.communicator;
  if (s.rank !== null) query.rank = String(s.rank);
  if (s.min_bytes !== null) query.min_bytes = String(s.min_bytes);
  if (s.max_bytes !== null) query.max_bytes = String(s.max_bytes);
  if (s.error) query.status = "error";
  return query;
}
