import {embedded, hearButton, irqchipsHere, linuxTest, pressed, runInLinux, vmTest, x86BackEnds} from '#test/petri';

const rounds = 1000;

for (const irqchip of irqchipsHere) {
	vmTest(
		`${rounds} pauses, resumes and resets in a row leave a guest that works, irqchip ${irqchip}`,
		{on: x86BackEnds},
		async (t, machine) => {
			const guest = await machine({processors: {count: 2}, irqchip, boot: embedded('work=1500 echo')});
			const {vm} = guest;
			await vm.start();
			for (let round = 0; round < rounds; round++) {
				await vm.pause();
				if (round % 10 === 9) await vm.reset();
				await vm.resume();
				t.is(vm.state, 'running');
			}
			// The last reset's guest gets through its work.
			await vm.reset();
			const before = guest.output.length;
			while (!/Sum \w+ over 3072000 items .*: OK/.test(guest.output.slice(before))) {
				t.is(vm.state, 'running');
				await new Promise((resolve) => setTimeout(resolve, 20));
			}
		},
	);
}

/** Counts with a timer's help until the power button is pressed, and says so through the serial port's interrupts. */
const counting = `i=0; until ${pressed()}; do echo count $i; i=$((i+1)); sleep 0.2; done; echo counted $i`;
const [leastCount, leastPauses] = [30, 200];

for (const irqchip of irqchipsHere) {
	linuxTest(
		`Linux loses no interrupt however often it is paused and resumed, irqchip ${irqchip}`,
		async (t, machine) => {
			const guest = await runInLinux(
				machine,
				{processors: {count: 2}, irqchip},
				[hearButton, counting],
				'openvmm.test=report',
			);
			await guest.waitFor(/count 0/);
			const last = new RegExp(`^count ${leastCount}`, 'm');
			let count = 0;
			for (; guest.vm.state !== 'stopped' && (count < leastPauses || !last.test(guest.output)); count++) {
				await guest.vm.pause();
				await guest.vm.resume();
				await new Promise((resolve) => setTimeout(resolve, 2));
			}
			await guest.vm.powerButton();
			t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
			const counted = [...guest.output.matchAll(/^count (\d+)\r?$/gm)].map(([, number]) => Number(number));
			t.deepEqual(
				counted,
				Array.from({length: Number(/^counted (\d+)/m.exec(guest.output)?.[1])}, (_, number) => number),
			);
			t.log(`${count} pauses`);
		},
	);
}
