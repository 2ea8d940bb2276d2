import test from 'ava';
import {ApicMachine} from '#vcpu-worker/software/local-apic/testing';
import {Request} from '#vcpu-worker/software/state';
import {hypercall} from './hypercalls.ts';

const sendIpi = 10n;
const kickCpu = 5n;
const vector = 0x41;
const none: number[] = [];

/** Calls on a machine with these ids. @returns RAX, the vectors that arrived, and who was alerted of what */
function called(ids: readonly number[], number: bigint, values: readonly bigint[], bits: 32 | 64 = 64) {
	const machine = new ApicMachine(ids).extended();
	const alerts: [number, number][] = [];
	const result = hypercall(machine.all, (...alert) => void alerts.push(alert), number, values, bits);
	return {result, requested: machine.requested(), alerts};
}

test('KVM_HC_SEND_IPI sends to the ids of both bitmaps that are there, and counts them', (t) => {
	const ids = [0, 70, 127, 200];
	const all = called(ids, sendIpi, [1n | (1n << 5n), (1n << 6n) | (1n << 63n), 0n, BigInt(vector)]);
	t.deepEqual([all.result, all.requested], [3n, [[vector], [vector], [vector], none]]);
	const fromId = called(ids, sendIpi, [1n, 0n, 200n, BigInt(vector)]);
	t.deepEqual([fromId.result, fromId.requested], [1n, [none, none, none, [vector]]]);
	const last = called(ids, sendIpi, [2n ** 64n - 1n, 2n ** 64n - 1n, 0xffff_ffffn, BigInt(vector)]);
	t.deepEqual([last.result, last.requested], [0n, [none, none, none, none]]);
});

test('bitmaps of a 32-bit caller have 32 bits each', (t) => {
	const {result, requested} = called([3, 35, 67], sendIpi, [1n << 3n, 1n << 3n, 0n, BigInt(vector)], 32);
	t.deepEqual([result, requested], [2n, [[vector], [vector], none]]);
});

test('KVM_HC_SEND_IPI takes no logical destination and no shorthand', (t) => {
	for (const bits of [0x800n, 0x4_0000n, 0x8_0000n]) {
		const {result, requested} = called([0, 1], sendIpi, [3n, 0n, 0n, BigInt(vector) | bits]);
		t.deepEqual([result, requested], [-22n, [none, none]]);
	}
});

test('KVM_HC_KICK_CPU lets the processor of the id go on; calls that are not known fail', (t) => {
	t.deepEqual(called([0, 7], kickCpu, [0n, 7n, 0n, 0n]).alerts, [[1, Request.UNHALT]]);
	const nobody = called([0, 7], kickCpu, [0n, 9n, 0n, 0n]);
	t.deepEqual([nobody.result, nobody.alerts], [0n, []]);
	for (const number of [3n, kickCpu | (1n << 32n)]) t.is(called([0], number, []).result, -1000n);
});
