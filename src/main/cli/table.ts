import {printable} from './print.ts';

/** Rows below each other as a person reads them, each with a line feed. Cells may hold anything. */
export function table(rows: readonly (readonly string[])[]): string {
	const shown = rows.map((row) => row.map(printable));
	const width = (column: number) => Math.max(...shown.map((row) => row[column]?.length ?? 0));
	const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(width(column))).join('  ');
	return shown.map((row) => `${line(row).trimEnd()}\n`).join('');
}
