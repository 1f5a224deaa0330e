// Talks to the server. Every failure is an ApiError with a sentence for people.
import type { Query } from "./types";

export class ApiError extends Error {
  readonly status: number; // 0: the server could not be reached
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// Called when the server asks for a token; set by the page.
export const on = { unauthorized: () => {} };

export function url_of(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

async function error_of(response: Response): Promise<ApiError> {
  const fallback = `The server answered ${response.status} without saying why. Its log knows more.`;
  const body = (await response.json().catch(() => null)) as { error?: { code?: string; message?: string } } | null;
  return new ApiError(response.status, body?.error?.code ?? "internal", body?.error?.message ?? fallback);
}

const kGone = "The server cannot be reached. Is `peerscope serve` still running?";

async function send(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { method, credentials: "same-origin", signal: signal ?? null };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "unavailable", kGone);
  }
  if (response.ok) return response;
  const error = await error_of(response);
  if (response.status === 401 && !path.endsWith("/login")) on.unauthorized();
  throw error;
}

async function json_of<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

export async function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  return json_of<T>(await send("GET", url_of(path, query), undefined, signal));
}
export async function post<T>(path: string, body: unknown): Promise<T> {
  return json_of<T>(await send("POST", path, body));
}
export async function patch<T>(path: string, body: unknown): Promise<T> {
  return json_of<T>(await send("PATCH", path, body));
}
export async function remove(path: string): Promise<void> {
  await send("DELETE", path, undefined);
}

export function is_abort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
