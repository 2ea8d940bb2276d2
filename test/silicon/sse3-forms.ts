/** SSE3 and SSSE3 (SDM volume 2, tables ). FISTTP is with x87; MONITOR and MWAIT are not of user mode. */
import {type Form, formsOf, type Row} from './form.ts';

const sse3: readonly Row[] = [
	['movsldup', 'F3 0F 12', 'Vps Wps'],
	['movshdup', 'F3 0F 16', 'Vps Wps'],
	['movddup', 'F2 0F 12', 'Vpd Wsd'],
	['haddpd', '66 0F 7C', 'Vpd Wpd'],
	['haddps', 'F2 0F 7C', 'Vps Wps'],
	['hsubpd', '66 0F 7D', 'Vpd Wpd'],
	['hsubps', 'F2 0F 7D', 'Vps Wps'],
	['addsubpd', '66 0F D0', 'Vpd Wpd'],
	['addsubps', 'F2 0F D0', 'Vps Wps'],
	['lddqu', 'F2 0F F0', 'Vdq Mdq', {isAligned: false}],
];

/** On MMX registers, and with 66 on XMM registers. */
const pairs = [
	['pshufb', '38 00'],
	['phaddw', '38 01'],
	['phaddd', '38 02'],
	['phaddsw', '38 03'],
	['pmaddubsw', '38 04'],
	['phsubw', '38 05'],
	['phsubd', '38 06'],
	['phsubsw', '38 07'],
	['psignb', '38 08'],
	['psignw', '38 09'],
	['psignd', '38 0A'],
	['pmulhrsw', '38 0B'],
	['pabsb', '38 1C'],
	['pabsw', '38 1D'],
	['pabsd', '38 1E'],
	['palignr', '3A 0F', ' Ib'],
] as const;
const ofMmx = pairs.map(([mnemonic, opcode, more = '']): Row => [mnemonic, `0F ${opcode}`, `Pq Qq${more}`]);
const ofXmm = pairs.map(([mnemonic, opcode, more = '']): Row => [mnemonic, `66 0F ${opcode}`, `Vdq Wdq${more}`]);

export const sse3Forms: readonly Form[] = [
	// The kernel's name for SSE3 is that of the processor that was to bring it.
	...formsOf(sse3, {unit: 'sse', feature: 'pni'}),
	...formsOf(ofXmm, {unit: 'sse', feature: 'ssse3'}),
	...formsOf(ofMmx, {unit: 'mmx', feature: 'ssse3'}),
];
