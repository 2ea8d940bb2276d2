import test from 'ava';
import {avxForms} from './avx-forms.ts';
import {bmiForms} from './bmi-forms.ts';
import {cryptoForms} from './crypto-forms.ts';
import {differences} from './difference.ts';
import type {Form} from './form.ts';
import {siliconObstacle} from './host-processor.ts';
import {integerForms} from './integer-forms.ts';
import {type Answer, flagBits, integerModels, type Width} from './integer-model.ts';
import {codeAddress} from './layout.ts';
import {emptyMask} from './mask.ts';
import {mmxForms} from './mmx-forms.ts';
import {CaseRecord, noVector, Rflags} from './processor-state.ts';
import {describeCase, formsOfHost, Silicon, type SiliconCase} from './silicon.ts';
import {sseForms} from './sse-forms.ts';
import {sse3Forms} from './sse3-forms.ts';
import {sse4Forms} from './sse4-forms.ts';
import {x87Forms} from './x87-forms.ts';

const onSilicon = siliconObstacle() === undefined ? test.serial : test.serial.skip;
const ofHost = (table: readonly Form[]): readonly Form[] => (siliconObstacle() === undefined ? formsOfHost(table) : []);
const tables: readonly Form[] = [
	...integerForms,
	...avxForms,
	...bmiForms,
	...sseForms,
	...sse3Forms,
	...sse4Forms,
	...cryptoForms,
	...mmxForms,
	...x87Forms,
];
const forms = ofHost(integerForms);

const allForms = ofHost(tables);

let made: Silicon | undefined;
const silicon = (): Silicon => {
	made ??= new Silicon();
	return made;
};
test.after.always(() => made?.[Symbol.dispose]());

test('no two forms have the same name', (t) => {
	t.is(new Set(tables.map(({name}) => name)).size, tables.length);
});

onSilicon('the processor ends each case where the generator says, or with an exception that was asked for', (t) => {
	const endless = ['int3', 'invalid', 'privileged'];
	const ran = new Map<Form, number>();
	for (const batch of silicon().batches({seed: 3, count: 30 * allForms.length, forms: allForms})) {
		for (const one of batch) {
			const {record, code, form} = one;
			const {vector, rip} = record.after;
			if (vector === noVector) {
				const offset = Number(rip) - codeAddress;
				const ends = [code.start + code.bytes.length, ...code.ends];
				if (!ends.includes(offset)) t.fail(`It ended at ${offset}: ${describeCase(one)}`);
				ran.set(form, (ran.get(form) ?? 0) + 1);
			} else if (
				!endless.includes(form.mnemonic) &&
				![0, 6, 12, 13, 14].includes(vector) &&
				!(form.unit !== undefined && [16, 19].includes(vector))
			)
				t.fail(`Exception ${vector}: ${describeCase(one)}`);
		}
	}
	const rare = allForms.filter((form) => !endless.includes(form.mnemonic) && (ran.get(form) ?? 0) < 10);
	t.deepEqual(
		rare.map(({name}) => name),
		[],
	);
	t.is(ran.size, allForms.filter(({mnemonic}) => !endless.includes(mnemonic)).length);
});

onSilicon('seed and number of a case decide it, and all that is not masked', (t) => {
	const count = 20_000;
	const options = {seed: 5, forms: allForms};
	for (let first = 0; first < count; first += 1000) {
		const [batch] = [...silicon().batches({...options, first, count: 1000})];
		const copies = (batch ?? []).map(({record, form}) => ({form, bytes: record.$bytes.slice()}));
		for (const again of silicon().batches({...options, first, count: 1000})) {
			for (const [index, one] of again.entries()) {
				const copy = copies[index] as (typeof copies)[number];
				const {before, after, code} = CaseRecord.on(copy.bytes.buffer);
				const isSame = copy.form === one.form && Buffer.compare(code, one.record.code) === 0;
				const found = isSame ? differences(after, one.record.after, one.mask) : ['another case'];
				const given = differences(before, one.record.before, {...emptyMask(), hasVectors: one.mask.hasVectors});
				if (found.length + given.length > 0) t.fail([describeCase(one), ...found, ...given].join('\n'));
			}
		}
	}
	t.pass();
});

/** The value that an operand of the instruction has before it. */
function operandBefore({record, code}: SiliconCase, kind: string | undefined, width: Width): bigint {
	const {gpr, memory} = record.before;
	const register = kind === 'G' ? code.reg : code.rm;
	if (register < 0) {
		const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
		let value = 0n;
		for (let byte = width / 8 - 1; byte >= 0; byte--)
			value = (value << 8n) | BigInt(view.getUint8(code.memoryOffset + byte));
		return value;
	}
	if (width === 8 && !code.hasRex && register >= 4) return ((gpr[register - 4] as bigint) >> 8n) & 0xffn;
	return BigInt.asUintN(width, gpr[register] as bigint);
}

onSilicon('what the model defines is compared, and what the processor does is what the model says', (t) => {
	const compared = new Map<string, number>();
	const modelled = forms.filter(
		({mnemonic, rm, operands}) =>
			mnemonic in integerModels &&
			// IMUL with one operand has another.
			!(mnemonic === 'imul' && operands.length === 1) &&
			rm !== undefined &&
			operands.length < 3 &&
			operands.every(({kind}) => kind === 'E' || kind === 'G'),
	);
	for (const batch of silicon().batches({seed: 7, count: 200 * modelled.length, forms: modelled})) {
		for (const one of batch) {
			const name = one.form.mnemonic as keyof typeof integerModels;
			const answer = modelAnswer(one, name);
			if (answer === undefined) continue;
			const {known, set} = flagBits(answer.flags);
			if ((known & one.mask.flags) !== 0) t.fail(`Flags ${known & one.mask.flags} are masked: ${describeCase(one)}`);
			const found = Number(one.record.after.rflags) & known;
			if (found !== set) t.fail(`Flags are ${found.toString(16)}, not ${set.toString(16)}: ${describeCase(one)}`);
			compared.set(name, (compared.get(name) ?? 0) + 1);
		}
	}
	const names = Object.keys(integerModels).filter((name) => modelled.some(({mnemonic}) => mnemonic === name));
	t.deepEqual(
		names.filter((name) => (compared.get(name) ?? 0) < 20),
		[],
	);
});

function modelAnswer(one: SiliconCase, name: keyof typeof integerModels): Answer | undefined {
	const {form, record} = one;
	if (record.after.vector !== noVector) return undefined;
	const width = form.size as Width;
	const [first, second] = form.operands;
	const a = operandBefore(one, first?.kind, width);
	const isByOne = form.opcode[0] === 0xd0 || form.opcode[0] === 0xd1;
	const count = isByOne ? 1n : (record.before.gpr[1] as bigint) & 0xffn;
	const b = form.role === 'count' ? count : second === undefined ? 0n : operandBefore(one, second.kind, width);
	return integerModels[name](a, b, width, (Number(record.before.rflags) & Rflags.CF) !== 0);
}
