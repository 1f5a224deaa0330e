// Where the page is and what is selected: the address is the only copy.
import { carried, changed, format_hash, parse_hash, range_of, selection_of, window_of } from "../model/url";
import type { Changes, PageName, Range, Route, Selection } from "../model/url";
import type { Window } from "../api/types";

class RouteState {
  #route = $state.raw<Route>(parse_hash(location.hash));
  // A value of its own: what hangs on it (the page's own chunk) does not start again when a parameter changes.
  readonly page: PageName = $derived(this.#route.page);
  readonly selection: Selection = $derived(selection_of(this.#route.params));
  readonly range: Range = $derived(range_of(this.#route.params));
  readonly window: Window = $derived(window_of(this.range));

  get params(): Record<string, string> {
    return this.#route.params;
  }
  listen(): () => void {
    const read = () => (this.#route = parse_hash(location.hash));
    window.addEventListener("hashchange", read);
    window.addEventListener("popstate", read);
    return () => {
      window.removeEventListener("hashchange", read);
      window.removeEventListener("popstate", read);
    };
  }
  // The address of another page with the same selection: for links.
  href(page: PageName, changes: Changes = {}): string {
    const kept = page === this.page ? this.params : carried(this.params);
    return format_hash({ page, params: changed(kept, changes) });
  }
  go(page: PageName, changes: Changes = {}): void {
    const hash = this.href(page, changes);
    if (hash !== location.hash) location.hash = hash;
  }
  // Selects or sets something here. `replace`: no step back to it (typing, dragging).
  set(changes: Changes, replace = false): void {
    const route = { page: this.page, params: changed(this.params, changes) };
    const hash = format_hash(route);
    if (hash === location.hash) return;
    if (replace) history.replaceState(null, "", hash);
    else history.pushState(null, "", hash);
    this.#route = route;
  }
}

export const route = new RouteState();
