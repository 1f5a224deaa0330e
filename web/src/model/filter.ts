// The selection and the time range as the query that the server understands.
import type { Query } from "../api/types";
import { bounds, range_of, selection_of } from "./url";

export function filter_query(params: Record<string, string>, now_ns: number | null, first_ns: number | null): Query {
  const { rank, peer, device, communicator, operation } = selection_of(params);
  return {
    ...bounds(range_of(params), now_ns, first_ns),
    rank, peer, device, communicator, operation,
    min_bytes: params.min_bytes, max_bytes: params.max_bytes, status: params.status, pid: params.pid,
  };
}

type Row = { rank?: number | null; from?: number; to?: number; communicator?: string | null; operation?: string | null; device?: number | null };

// Whether a row that is already here belongs to the selection. What a row does not say does not exclude it.
export function selected_row(row: Row, params: Record<string, string>): boolean {
  const s = selection_of(params);
  const differs = (has: unknown, wanted: unknown): boolean => wanted !== null && has !== undefined && has !== null && has !== wanted;
  return !differs(row.rank, s.rank) && !differs(row.communicator, s.communicator) && !differs(row.device, s.device) &&
    !(s.operation !== null && row.operation != null && !s.operation.split(",").includes(row.operation)) &&
    !differs(row.from, s.rank) && !differs(row.to, s.peer);
}
