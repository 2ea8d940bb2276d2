/** MMX and what SSE and SSE2 brought to its registers (SDM volume 2, tables A-3 and A-4). The registers are the x87's: all tags become valid, and TOP zero. */
import {type Form, type FormOptions, formsOf, type Row} from './form.ts';
import {packedIntegersOfMmx} from './packed-integer-rows.ts';

const sse = {feature: 'sse'} as const satisfies FormOptions;
const sse2 = {feature: 'sse2'} as const satisfies FormOptions;

const moves: readonly Row[] = [
	['punpcklbw', '0F 60', 'Pq Qd'],
	['punpcklwd', '0F 61', 'Pq Qd'],
	['punpckldq', '0F 62', 'Pq Qd'],
	['movd, movq', '0F 6E', 'Pq Ey'],
	['movd, movq', '0F 7E', 'Ey Pq'],
	['movq', '0F 6F', 'Pq Qq'],
	['movq', '0F 7F', 'Qq Pq'],
	['pshufw', '0F 70', 'Pq Qq Ib', sse],
	['pinsrw', '0F C4', 'Pq Rd Ib', sse],
	['pinsrw', '0F C4', 'Pq Mw Ib', sse],
	['pextrw', '0F C5', 'Gd Nq Ib', sse],
	['pmovmskb', '0F D7', 'Gd Nq', sse],
	['movntq', '0F E7', 'Mq Pq', sse],
	['maskmovq', '0F F7', 'Pq Nq', {...sse, role: 'maskedStore'}],
	['movq2dq', 'F3 0F D6', 'Vdq Nq', sse2],
	['movdq2q', 'F2 0F D6', 'Pq Udq', sse2],
	['emms', '0F 77'],
];

/** Between MMX and XMM registers. */
const conversions: readonly Row[] = (
	[
		['cvtpi2ps', '0F 2A', 'Vq:ps Qq', sse],
		['cvtpi2pd', '66 0F 2A', 'Vpd Qq', sse2],
		['cvttps2pi', '0F 2C', 'Pq Wq:ps', sse],
		['cvttpd2pi', '66 0F 2C', 'Pq Wpd', {...sse2, isAligned: true}],
		['cvtps2pi', '0F 2D', 'Pq Wq:ps', sse],
		['cvtpd2pi', '66 0F 2D', 'Pq Wpd', {...sse2, isAligned: true}],
	] as const
).map(([mnemonic, encoding, operands, options]) => [mnemonic, encoding, operands, {...options, role: 'convertMmx'}]);

export const mmxForms: readonly Form[] = formsOf([...packedIntegersOfMmx, ...moves, ...conversions], {
	unit: 'mmx',
	feature: 'mmx',
});
