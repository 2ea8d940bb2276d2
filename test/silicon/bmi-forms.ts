/** BMI1 and BMI2 (SDM volume 2, tables ), but for TZCNT, which needs no VEX prefix. */
import {type Form, formsOf, type Row} from './form.ts';
import {Rflags} from './processor-state.ts';

const {PF, AF, SF} = Rflags;
/** What is undefined after most of them. */
const parity = PF | AF;

const bmi1: readonly Row[] = [
	['andn', 'VEX.LZ.NP.0F38 F2', 'Gy By Ey', {undefined: parity}],
	['blsr', 'VEX.LZ.NP.0F38 F3 /1', 'By Ey', {undefined: parity}],
	['blsmsk', 'VEX.LZ.NP.0F38 F3 /2', 'By Ey', {undefined: parity}],
	['blsi', 'VEX.LZ.NP.0F38 F3 /3', 'By Ey', {undefined: parity}],
	['bextr', 'VEX.LZ.NP.0F38 F7', 'Gy Ey By', {undefined: parity | SF, role: 'bitField'}],
];

const bmi2: readonly Row[] = [
	['bzhi', 'VEX.LZ.NP.0F38 F5', 'Gy Ey By', {undefined: parity, role: 'bitField'}],
	['pext', 'VEX.LZ.F3.0F38 F5', 'Gy By Ey'],
	['pdep', 'VEX.LZ.F2.0F38 F5', 'Gy By Ey'],
	['mulx', 'VEX.LZ.F2.0F38 F6', 'Gy By Ey'],
	['shlx', 'VEX.LZ.66.0F38 F7', 'Gy Ey By', {role: 'bitField'}],
	['sarx', 'VEX.LZ.F3.0F38 F7', 'Gy Ey By', {role: 'bitField'}],
	['shrx', 'VEX.LZ.F2.0F38 F7', 'Gy Ey By', {role: 'bitField'}],
	['rorx', 'VEX.LZ.F2.0F3A F0', 'Gy Ey Ib'],
];

export const bmiForms: readonly Form[] = [...formsOf(bmi1, {feature: 'bmi1'}), ...formsOf(bmi2, {feature: 'bmi2'})];
