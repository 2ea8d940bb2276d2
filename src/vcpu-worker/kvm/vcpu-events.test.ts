import test from 'ava';
import type {VcpuEvents} from '#vcpu-worker/state';
import {VcpuEventValid} from './constants.ts';
import {KvmVcpuEvents} from './structs-vcpu.ts';
import {fromKvmEvents, toKvmEvents} from './vcpu-events.ts';

const quiet: VcpuEvents = {
	exception: undefined,
	interrupt: undefined,
	shadow: {sti: false, movSs: false},
	nmi: {injected: false, pending: 0, masked: false},
	smm: {active: false, pending: false, insideNmi: false, latchedInit: false},
	startupVector: 0,
};

const cases: readonly Partial<VcpuEvents>[] = [
	{},
	{exception: {vector: 14, errorCode: 2}},
	{exception: {vector: 0, errorCode: undefined}, startupVector: 0x9a},
	{exception: {vector: 8, errorCode: 0}},
	{interrupt: {vector: 0x80, isSoftware: true}, shadow: {sti: true, movSs: false}},
	{interrupt: {vector: 0x20, isSoftware: false}, shadow: {sti: false, movSs: true}},
	{nmi: {injected: true, pending: 1, masked: true}},
	{smm: {active: true, pending: false, insideNmi: true, latchedInit: false}},
	{smm: {active: false, pending: true, insideNmi: false, latchedInit: true}},
];

test('events survive the way to KVM and back', (t) => {
	for (const change of cases) {
		const events = {...quiet, ...change};
		t.deepEqual(fromKvmEvents(KvmVcpuEvents.read(KvmVcpuEvents.encode(toKvmEvents(events)))), events);
	}
});

test('KVM is told of events only what every KVM takes', (t) => {
	const {SHADOW, SMM} = VcpuEventValid;
	t.is(toKvmEvents(quiet).flags, SHADOW | SMM);
});
