import test from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {
	type Guest,
	type GuestScript,
	halt,
	interruptsOn,
	type Moment,
	readPort,
	relax,
	writePort,
} from '#vcpu-worker/hypervisor/testing';
import {type FakeMachine, fakeMachine} from './testing/index.ts';

const [latch, exitPort] = [0x500, 0xf4];
const config = {
	memory: {sizeBytes: 2 ** 21},
	devices: [
		{kind: latchKind, options: {port: latch}},
		{kind: 'debug-exit', options: {port: exitPort}},
	],
};
const rounds = 3;
const nmiVector = 2;
const isRight = 0x21;

/** Accesses a device, each time once, and then waits for the one interrupt that it can take; the other processor has nothing to do. */
const scripts: readonly GuestScript[] = [
	function* (): Guest {
		yield interruptsOn(false);
		let sum = 0;
		for (let round = 1; round <= rounds; round++) {
			yield writePort(latch, 4, (yield readPort(latch, 4)) + round);
			sum += round;
			yield relax();
		}
		const vector = yield halt();
		const isSame = (yield readPort(latch, 4)) === sum && vector === nmiVector;
		yield writePort(exitPort, 1, isSame ? isRight >> 1 : 1);
	},
	function* (): Guest {
		for (;;) yield halt();
	},
];

/** Operations that the owner asks for at once, in this order. */
const wishes: Readonly<Record<string, (vm: FakeMachine['vm']) => Promise<unknown>[]>> = {
	'an NMI, then a pause': (vm) => [vm.nmi(), vm.pause(), vm.start()],
	'a pause, then an NMI': (vm) => [vm.pause(), vm.nmi(), vm.start()],
	'a look, amid two pauses': (vm) => [
		vm.pause(),
		vm.inspect('vm/vcpus/0/registers'),
		vm.start(),
		vm.inspect('vm/vcpus/0/registers'),
		vm.pause(),
		vm.nmi(),
		vm.start(),
	],
};

const moments: readonly Moment[] = ['clear kick', 'kick cleared', 'run', 'left', 'serve'];

for (const [name, asks] of Object.entries(wishes)) {
	for (const moment of moments) {
		test(`${name} at the moment "${moment}": no access is lost or repeated, and the NMI comes once`, async (t) => {
			let hasCome = true;
			for (let at = 0; hasCome && at < 2 * rounds; at++) {
				const {vm, hypervisor} = await fakeMachine(t, scripts, {config});
				let seen = 0;
				let asked: Promise<unknown>[] | undefined;
				hypervisor.moment = (now, vcpu) => {
					if (now === moment && vcpu === 0 && seen++ === at) asked = asks(vm);
				};
				await vm.start();
				// The guest may come to its wait before that moment does.
				while (asked === undefined && hypervisor.vcpus[0]?.details().activity !== 'halted')
					await new Promise((resolve) => setImmediate(resolve));
				hasCome = asked !== undefined;
				hypervisor.moment = () => {};
				t.true(hasCome || at > 0);
				await Promise.all(asked ?? [vm.nmi()]);
				t.deepEqual(await vm.ended, {kind: 'exit', status: isRight}, `${at}`);
				t.is(hypervisor.vcpus[0]?.nmis, 1);
			}
		});
	}
}
