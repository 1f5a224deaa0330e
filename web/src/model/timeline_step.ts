// Which collective comes next: after the chosen one, or the first in view.

import type { Query } from "../api/types";
import type { Span } from "./timeline_view";
import type { CollectiveKey } from "./url";

export function next_query(chosen: CollectiveKey | null, by: 1 | -1, view: Span | null, filter: Query): Query {
  const at = chosen?.near ?? (view ? Math.max(0, Math.floor(by > 0 ? view.from : view.to)) : 0);
  const same = chosen ? { communicator: chosen.communicator } : {};
  const query = { operation: filter.operation, communicator: filter.communicator, ...same, limit: 1 };
  return by > 0 ? { ...query, from: chosen?.near != null ? at + 1 : at, order: "oldest" } : { ...query, to: at, order: "newest" };
}
