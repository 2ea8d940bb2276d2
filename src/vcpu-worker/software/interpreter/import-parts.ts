import {callOf, type FuncOf, type ModuleBuilder} from '#support/wasm';
import type {Imports} from './guest-access.ts';
import {buildSegmentCheck} from './segment-check.ts';

/** Most pages of 64 KiB that the processor's own memory and the guest's RAM can have. */
export const memoryLimits = {state: 0x1_0000, ram: 0x4_0000} as const;

/** Builds the function that halves an address of 64 bits, which each access would do at its place. */
function buildAccess(module: ModuleBuilder, {access}: Pick<Imports, 'state' | 'ram' | 'access'>): FuncOf<'i32'> {
	const func = module.function({parameters: ['i64', 'i32', 'i32', 'i32'], result: 'i32'});
	const [address, ...others] = func.body.parameters;
	func.body.return(callOf(access, address.toI32(), address.shrU(32).toI32(), ...others));
	return func;
}

/**
 * Gives a module what generated code uses: the memories `state` and `ram`, the functions `access`, `compute`, `x87` and `system`, and the table
 * `translations`, which it imports, and functions of its own.
 * @param access - builds what does an access that the TLB does not serve, by the imported function that takes its address in halves
 */
export function importParts(module: ModuleBuilder, access = buildAccess): Imports {
	const outside = {
		state: module.importMemory('state', {address: 'i32', isShared: true, minimum: 1, maximum: memoryLimits.state}),
		ram: module.importMemory('ram', {address: 'i64', isShared: true, minimum: 1, maximum: memoryLimits.ram}),
		access: module.importFunction('access', {parameters: ['i32', 'i32', 'i32', 'i32', 'i32'], result: 'i32'}),
		compute: module.importFunction('compute', {parameters: ['i32', 'i32'], result: 'i32'}),
		x87: module.importFunction('x87', {parameters: ['i32'], result: 'i32'}),
		system: module.importFunction('system', {parameters: ['i32'], result: 'i32'}),
		translations: module.importTable('translations', {parameters: ['i32', 'i32'], result: 'i32'}),
	};
	return {...outside, access: access(module, outside), check: buildSegmentCheck(module, outside.state)};
}
