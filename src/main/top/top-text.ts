import type {Column, Table} from './columns.ts';

/** The numbers of one processor, by the path of their column. */
export type VcpuNumbers = ReadonlyMap<string, number>;

/** A name, and the part of the time of processors that did something that was spent there, 0 to 1. */
export interface HotSpot {
	readonly name: string;
	readonly part: number;
}

/** What there is to show of a machine. */
export interface TopView {
	/** Name of the machine, and its state. */
	readonly title: string;
	/** Processors in their order, earlier and now. */
	readonly before: readonly VcpuNumbers[];
	readonly after: readonly VcpuNumbers[];
	/** Seconds between the two. */
	readonly seconds: number;
	/** The hottest first. */
	readonly hottest: readonly HotSpot[];
	/** The part of all time that processors waited for interrupts. */
	readonly waiting: number;
}

/** Size of a terminal, in characters. */
export interface ScreenSize {
	readonly rows: number;
	readonly columns: number;
}

const headWidth = 5;
const gap = 2;
/** Lines that are left for hot spots, and for what stands around the tables. */
const otherLines = 8;
/** Characters of a bar, and of the two numbers behind it. */
const barWidth = 10;
const shareWidth = 14;
/** The last character of a bar, in eighths. */
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** The screen, as lines without their ends: no longer than the terminal is wide, and no more than it is high. */
export function topLines(view: TopView, tables: readonly Table[], size: ScreenSize): string[] {
	const {title, after, hottest, waiting} = view;
	const known = tables
		.map((columns) => columns.filter(({path}) => after.some((numbers) => numbers.has(path))))
		.filter((columns) => columns.length > 0);
	const all = after.map((_, index) => index);
	// A table has a head, and a line behind it.
	const room = Math.max(1, Math.floor((size.rows - otherLines) / Math.max(known.length, 1)) - 2);
	const alone = all.slice(0, all.length > room ? room - 1 : room);
	const together = all.slice(alone.length);
	const shown = known.flatMap((columns) => [
		['CPU'.padEnd(headWidth), ...columns.map((column) => titleOf(column))].join(''),
		...alone.map((vcpu) => line(`${vcpu}`, [vcpu], columns, view)),
		...(together.length === 0 ? [] : [line(`+${together.length}`, together, columns, view)]),
		'',
	]);
	const spots = hottest.map(({name, part}) => `${percent(part)}  ${bar(part)}  ${printable(name)}`);
	const wait = `${percent(waiting)}  ${bar(waiting)}  of the time they waited${spots.length === 0 ? '' : '; of the rest:'}`;
	return [printable(title), '', ...shown, wait, ...spots]
		.slice(0, size.rows)
		.map((text) => text.slice(0, size.columns));
}

const widthOf = ({title, most}: Column): number =>
	most === undefined ? title.length : Math.max(title.length, barWidth + shareWidth);

/** Above numbers it ends where they do, above bars it begins there. */
function titleOf(column: Column): string {
	const {title, most} = column;
	const width = widthOf(column);
	return ' '.repeat(gap) + (most === undefined ? title.padStart(width) : title.padEnd(width));
}

/** One line of a table: the numbers of a processor, or of several together. */
function line(head: string, vcpus: readonly number[], columns: readonly Column[], view: TopView): string {
	const {before, after, seconds} = view;
	const cells = columns.map((column) => {
		const {path, unit = 1, isLevel = false, most} = column;
		const values = vcpus.flatMap((vcpu) => {
			const [earlier, now] = [before[vcpu]?.get(path), after[vcpu]?.get(path)];
			if (now === undefined || (earlier === undefined && !isLevel)) return [];
			// One that is less than before has begun again: the machine was reset.
			return [isLevel ? now : Math.max(0, now - (earlier ?? 0)) / seconds];
		});
		const value = sum(values) / unit;
		const limit = most === undefined ? 0 : sum(vcpus.map((vcpu) => after[vcpu]?.get(most) ?? 0)) / unit;
		const number = isLevel && unit === 1 ? `${value}` : short(value);
		const text = limit === 0 ? number : bar(value / limit) + `${number} of ${short(limit)}`.padStart(shareWidth);
		return ' '.repeat(gap) + (values.length === 0 ? '-' : text).padStart(widthOf(column));
	});
	return [head.padEnd(headWidth), ...cells].join('');
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** A part of a whole, 0 to 1, as a bar as long as the whole is. */
function bar(part: number): string {
	const length = Math.round(Math.min(Math.max(part, 0), 1) * barWidth * 8);
	return ('█'.repeat(Math.floor(length / 8)) + (eighths[length % 8] ?? '')).padEnd(barWidth, '·');
}

const short = (value: number): string => (value < 100 ? value.toFixed(1) : Math.round(value).toString());

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`.padStart(8);

/** Names come from a guest, whose control characters are not for a terminal. */
const printable = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?');
