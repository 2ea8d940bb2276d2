import {type FunctionBuilder, type Int, i32, type Memory} from '#support/wasm';
import {CpuState, Stop} from '#vcpu-worker/software/state';

/**
 * Takes a block's instructions off the budget; stops where it is used up, or another thread wants something.
 * @param record - of the step that goes on
 * @param ordinal - number of the last instruction
 * @param target - where code goes on
 */
export function poll(
	f: FunctionBuilder<readonly ['i32']>,
	state: Memory<'i32'>,
	record: Int<'i32'>,
	ordinal: Int<'i32'>,
	target: Int<'i64'>,
): void {
	const budget = f.let(state.load('i32', 32, i32(0), CpuState.offset('budget')).sub(ordinal));
	f.store(state, 32, i32(0), CpuState.offset('budget'), budget);
	f.if(budget.ltS(0).or(state.load('i32', 32, i32(0), CpuState.offset('request')).ne(0)), () => {
		f.store(state, 32, i32(0), CpuState.offset('record'), record);
		f.store(state, 64, i32(0), CpuState.offset('rip'), target);
		f.return(i32(Stop.poll));
	});
}
