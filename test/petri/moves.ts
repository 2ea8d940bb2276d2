import test, {type ExecutionContext} from 'ava';
import type {VmOptions} from '#main/config';
import {getTscKhz} from '#vcpu-worker/kvm';
import {startGuest} from '#vcpu-worker/kvm/testing';
import {runsStockKernels, type X86BackEnd, x86BackEnds} from './back-ends.ts';
import {openTestSnapshot, snapshotPlace} from './test-snapshot.ts';
import type {TestVm} from './test-vm.ts';
import {type MakeMachine, machinesOn} from './vm-test.ts';

/** From one back end to another, and back. */
export interface Move {
	readonly from: X86BackEnd;
	readonly to: X86BackEnd;
	/** A processor that both have. Not every KVM can scale the host's counter. */
	readonly cpu: NonNullable<VmOptions['cpu']>;
}

/**
 * A test for each way between the back ends, where KVM is. `kvm_pvm` answers CPUID as its host does, and executes no floating point of a kernel.
 * @param options - `starts`: the back ends that the guest begins on
 */
export function moveTests(
	title: (move: Pick<Move, 'from' | 'to'>) => string,
	body: (t: ExecutionContext, move: Move) => Promise<void>,
	{skip = false, starts = x86BackEnds}: {readonly skip?: boolean; readonly starts?: readonly X86BackEnd[]} = {},
): void {
	const run = skip || !runsStockKernels() ? test.serial.skip : test.serial;
	for (const from of starts) {
		const to = from === 'kvm' ? 'software' : 'kvm';
		run(title({from, to}), (t) => body(t, {from, to, cpu: portableCpu()}));
	}
}

function portableCpu(): Move['cpu'] {
	using guest = startGuest({code: [0xf4]});
	return {model: 'x86-64-v2', with: [], without: [], tscKhz: getTscKhz(guest.vcpu.fd)};
}

/** Lets a guest go on with another back end, from a snapshot, its clocks where they were. Its machine here ends. */
export async function moveVm(
	t: ExecutionContext,
	guest: TestVm,
	to: X86BackEnd,
	options: Parameters<MakeMachine>[0],
): Promise<TestVm> {
	const directory = snapshotPlace(t);
	await guest.vm.pause();
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	const moved = await machinesOn(t, to)(options, {snapshot: openTestSnapshot(t, directory), clock: 'continue'});
	await moved.vm.start();
	return moved;
}
