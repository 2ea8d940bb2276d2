/** Shared parts of the tests of the oracle: they are skipped, and say why, where the host cannot be one. */
import test from 'ava';
import {type Assembler, createAssembler} from '#flowey/x86-assembler';
import {type CaseView, HostProcessor, siliconObstacle} from './host-processor.ts';
import {codeAddress, windowEnd} from './layout.ts';
import {CaseRecord, type GeneralRegister, generalRegisters} from './processor-state.ts';

const obstacle = siliconObstacle();

/** A test that compares with the host's processor. */
export const onSilicon = obstacle === undefined ? test.serial : test.serial.skip;
if (obstacle !== undefined) test.skip(`nothing is compared with the host's processor: ${obstacle}`, () => {});

const batchSize = 256;
let made: HostProcessor | undefined;

/** The processor of this test file. */
export function hostProcessor(): HostProcessor {
	made ??= new HostProcessor(batchSize);
	return made;
}

export const registerIndex = (name: GeneralRegister): number => generalRegisters.indexOf(name);

/** Assembles the code of a case. */
export function assembled(emit: (assembler: Assembler) => void): Uint8Array {
	const assembler = createAssembler({origin: codeAddress, bits: 64});
	emit(assembler);
	return assembler.finish().bytes;
}

/** Gives a case code that ends behind its last byte, and a state of zeros with a stack. */
export function prepareCase(
	record: CaseView,
	bytes: ArrayLike<number>,
	ends: readonly number[] = [bytes.length],
): void {
	CaseRecord.reset(record);
	record.before.gpr[registerIndex('rsp')] = BigInt(windowEnd - 64);
	hostProcessor().setCode(record, bytes, ends);
}

/** Runs one case of its own. */
export function runCase(
	bytes: ArrayLike<number>,
	prepare: (record: CaseView) => void = () => {},
	ends?: readonly number[],
): CaseView {
	const processor = hostProcessor();
	const record = processor.cases[0] as CaseView;
	prepareCase(record, bytes, ends);
	prepare(record);
	processor.run(1);
	return record;
}
