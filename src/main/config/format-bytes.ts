const units = [
	['TB', 2 ** 40],
	['GB', 2 ** 30],
	['MB', 2 ** 20],
	['KB', 2 ** 10],
] as const;

/** Bytes in the largest unit that divides them, in the form `parseSize` takes: `512MB`, `4097B`. */
export function formatBytes(bytes: number): string {
	const [unit, factor] = units.find(([, value]) => bytes >= value && bytes % value === 0) ?? ['B', 1];
	return `${bytes / factor}${unit}`;
}
