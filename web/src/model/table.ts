// What a table's column is: one value for sorting and files, one text for people.
import type { Cell } from "./csv";

export type Column<T> = {
  name: string; // in files: with unit, snake_case
  label: string;
  value: (row: T) => Cell;
  text?: (row: T) => string;
  title?: (row: T) => string | undefined;
  help?: string;
  number?: boolean;
  mono?: boolean;
  wrap?: boolean;
};

export function cell_text<T>(column: Column<T>, row: T): string {
  if (column.text) return column.text(row);
  const value = column.value(row);
  return value === null || value === undefined || value === "" ? "–" : String(value);
}
export function file_of<T>(columns: Column<T>[], rows: T[]): { names: string[]; rows: Cell[][] } {
  return { names: columns.map((c) => c.name), rows: rows.map((row) => columns.map((c) => c.value(row))) };
}
