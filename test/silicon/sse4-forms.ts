/** SSE4.1 and SSE4.2 (SDM volume 2, tables ). CRC32 and POPCNT are of the integer core. */
import {type Form, type FormOptions, formsOf, type Row} from './form.ts';

/** All with 66 and in the map 0F 38. */
const pairs = (
	[
		['pblendvb', '10'],
		['pmuldq', '28'],
		['pcmpeqq', '29'],
		['packusdw', '2B'],
		['pminsb', '38'],
		['pminsd', '39'],
		['pminuw', '3A'],
		['pminud', '3B'],
		['pmaxsb', '3C'],
		['pmaxsd', '3D'],
		['pmaxuw', '3E'],
		['pmaxud', '3F'],
		['pmulld', '40'],
		['phminposuw', '41'],
		['ptest', '17'],
	] as const
).map(([mnemonic, opcode]): Row => [mnemonic, `66 0F 38 ${opcode}`, 'Vdq Wdq']);

/** To wider elements: as many as there is room for. */
const extensions = (
	[
		['bw', 'q'],
		['bd', 'd'],
		['bq', 'w'],
		['wd', 'q'],
		['wq', 'd'],
		['dq', 'q'],
	] as const
).flatMap(([elements, source], index): Row[] => [
	[`pmovsx${elements}`, `66 0F 38 2${index}`, `Vdq W${source}`],
	[`pmovzx${elements}`, `66 0F 38 3${index}`, `Vdq W${source}`],
]);

/** The bits above these in the immediate are reserved. */
const rounding = {immediateBits: 4} as const satisfies FormOptions;

const sse41: readonly Row[] = [
	...pairs,
	...extensions,
	['blendvps', '66 0F 38 14', 'Vps Wps'],
	['blendvpd', '66 0F 38 15', 'Vpd Wpd'],
	['movntdqa', '66 0F 38 2A', 'Vdq Mdq'],
	['roundps', '66 0F 3A 08', 'Vps Wps Ib', rounding],
	['roundpd', '66 0F 3A 09', 'Vpd Wpd Ib', rounding],
	['roundss', '66 0F 3A 0A', 'Vss Wss Ib', rounding],
	['roundsd', '66 0F 3A 0B', 'Vsd Wsd Ib', rounding],
	['blendps', '66 0F 3A 0C', 'Vps Wps Ib'],
	['blendpd', '66 0F 3A 0D', 'Vpd Wpd Ib'],
	['pblendw', '66 0F 3A 0E', 'Vdq Wdq Ib'],
	['pextrb', '66 0F 3A 14', 'Rd Vdq Ib'],
	['pextrb', '66 0F 3A 14', 'Mb Vdq Ib'],
	['pextrw', '66 0F 3A 15', 'Rd Vdq Ib'],
	['pextrw', '66 0F 3A 15', 'Mw Vdq Ib'],
	['pextrd, pextrq', '66 0F 3A 16', 'Ey Vdq Ib'],
	['extractps', '66 0F 3A 17', 'Ed Vps Ib'],
	['pinsrb', '66 0F 3A 20', 'Vdq Rd Ib'],
	['pinsrb', '66 0F 3A 20', 'Vdq Mb Ib'],
	['insertps', '66 0F 3A 21', 'Vps Ups Ib'],
	['insertps', '66 0F 3A 21', 'Vps Mss Ib'],
	['pinsrd, pinsrq', '66 0F 3A 22', 'Vdq Ey Ib'],
	['dpps', '66 0F 3A 40', 'Vps Wps Ib'],
	['dppd', '66 0F 3A 41', 'Vpd Wpd Ib'],
	['mpsadbw', '66 0F 3A 42', 'Vdq Wdq Ib'],
];

/** Memory need not be aligned; the highest bit of the immediate is reserved. */
const strings = {role: 'stringCompare', isAligned: false, immediateBits: 7} as const satisfies FormOptions;
const sse42: readonly Row[] = [
	['pcmpgtq', '66 0F 38 37', 'Vdq Wdq'],
	// Lengths are in EAX and EDX, or in RAX and RDX.
	['pcmpestrm', '66 0F 3A 60', 'Vdq Wdq Ib', {...strings, sizes: [32, 64]}],
	['pcmpestri', '66 0F 3A 61', 'Vdq Wdq Ib', {...strings, sizes: [32, 64]}],
	['pcmpistrm', '66 0F 3A 62', 'Vdq Wdq Ib', strings],
	['pcmpistri', '66 0F 3A 63', 'Vdq Wdq Ib', strings],
];

export const sse4Forms: readonly Form[] = [
	...formsOf(sse41, {unit: 'sse', feature: 'sse4_1'}),
	...formsOf(sse42, {unit: 'sse', feature: 'sse4_2'}),
];
