import type {Column} from './columns.ts';

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
/** Lines that are left for hot spots, and for what stands around the table. */
const otherLines = 10;

/** The screen, as lines without their ends: no longer than the terminal is wide, and no more than it is high. */
export function topLines(view: TopView, columns: readonly Column[], size: ScreenSize): string[] {
	const {title, after, hottest, waiting} = view;
	const known = columns.filter(({path}) => after.some((numbers) => numbers.has(path)));
	const all = after.map((_, index) => index);
	const room = Math.max(1, size.rows - otherLines);
	const alone = all.slice(0, all.length > room ? room - 1 : room);
	const together = all.slice(alone.length);
	const table = [
		['CPU'.padEnd(headWidth), ...known.map(({title: text}) => ' '.repeat(gap) + text)].join(''),
		...alone.map((vcpu) => line(`${vcpu}`, [vcpu], known, view)),
		...(together.length === 0 ? [] : [line(`+${together.length}`, together, known, view)]),
	];
	const spots = hottest.map(({name, part}) => `${percent(part)}  ${printable(name)}`);
	const wait = `${percent(waiting)}  of the time they waited${spots.length === 0 ? '' : '; of the rest:'}`;
	return [printable(title), '', ...table, '', wait, ...spots]
		.slice(0, size.rows)
		.map((text) => text.slice(0, size.columns));
}

/** One line of the table: the numbers of a processor, or of several together. */
function line(head: string, vcpus: readonly number[], columns: readonly Column[], view: TopView): string {
	const {before, after, seconds} = view;
	const cells = columns.map(({title, path, unit = 1, isLevel = false}) => {
		const values = vcpus.flatMap((vcpu) => {
			const [earlier, now] = [before[vcpu]?.get(path), after[vcpu]?.get(path)];
			if (now === undefined || (earlier === undefined && !isLevel)) return [];
			// One that is less than before has begun again: the machine was reset.
			return [isLevel ? now : Math.max(0, now - (earlier ?? 0)) / seconds];
		});
		const sum = values.reduce((total, value) => total + value, 0) / unit;
		return (values.length === 0 ? '-' : short(sum)).padStart(gap + title.length);
	});
	return [head.padEnd(headWidth), ...cells].join('');
}

const short = (value: number): string => (value < 100 ? value.toFixed(1) : Math.round(value).toString());

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`.padStart(8);

/** Names come from a guest, whose control characters are not for a terminal. */
const printable = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?');
