import {setTimeout as sleep} from 'node:timers/promises';
import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {flagged, hearButton, linuxTest, pressed, runInLinux, until} from '#test/petri';

const target = 128 * 2 ** 20;

const machines: Readonly<Record<'pci' | 'mmio', VmOptions>> = {
	pci: {
		pcie: {rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')], rootPorts: [parsePcieRootPort('rc0:rp0')]},
		devices: flagged({'virtio-balloon': ['pcie_port=rp0,stats=1']}),
	},
	mmio: {devices: flagged({'virtio-balloon': ['stats=1']})},
};
const names = {pci: 'virtio-balloon', mmio: 'virtio-balloon-mmio'};

for (const bus of ['pci', 'mmio'] as const)
	linuxTest(
		`Linux gives memory back, reports what it does not use, takes some before it runs out and all again, over ${bus}`,
		async (t, make) => {
			const guest = await runInLinux(make, machines[bus], [
				'dmesg -c >/dev/null',
				'modprobe -a virtio_pci virtio_mmio virtio_balloon',
				hearButton,
				'dd if=/dev/urandom of=/tmp/kept bs=1M count=8 2>/dev/null; sha256sum </tmp/kept >/tmp/sum',
				"f() { awk '/MemFree/ {print $2}' /proc/meminfo; }; F=$(f)",
				// What is freed at last need not be reported, but what was free all the time is.
				'echo wants=more',
				until('[ $(f) -lt $((F - 100000)) ]'),
				'echo given=yes',
				until(pressed()),
				// More than is free: the kernel has the balloon give some back before it kills a program.
				'mount -t tmpfs -o size=100% none /mnt',
				'dd if=/dev/zero of=/mnt/filled bs=1M count=$(($(f) / 1024 + 16)) 2>/dev/null; echo filled=$?',
				until(pressed(2)),
				'umount /mnt',
				until('[ $(f) -gt $((F - 30000)) ]'),
				'echo again=yes',
				// All of it is memory.
				'dd if=/dev/zero of=/tmp/filled bs=1M count=200 2>/dev/null; rm /tmp/filled',
				'sha256sum </tmp/kept | cmp - /tmp/sum && echo kept=same',
				"dmesg | grep -v OPENVMM_RUN | grep -E 'virtio|balloon|Out of memory|oom-kill|WARNING: CPU|BUG:|Call Trace'",
			]);
			const {vm} = guest;
			const device = names[bus];
			const see = async (path: string) => String(await guest.inspect(`vm/devices/${device}/${path}`));
			const seen = async (path: string, isSo: (text: string) => boolean) => {
				for (let text = await see(path); !isSo(text); text = await see(path)) await sleep(100);
			};
			const ask = (bytes: number) => {
				const command = {kind: 'balloon-target', bytes};
				return vm.control(device, command);
			};
			await guest.waitFor(/^wants=more\r?$/m);
			await seen('state/reportedBytes', (bytes) => Number(bytes) > 64 * 2 ** 20);
			await ask(target);
			await seen('words/balloon', (words) => words === `${target} bytes given of ${target} asked for`);
			await guest.waitFor(/^given=yes\r?$/m);
			t.true(Number(await see('state/inflatedBytes')) >= target);
			t.regex(await see('words/statistics'), /freeBytes [1-9]\d*, totalBytes [1-9]\d*/);
			await vm.powerButton();
			const filled = await guest.waitFor(/^filled=(\d+)\r?$/m);
			t.is(filled[1], '0', guest.output);
			const taken = target - Number((await see('words/balloon')).split(' ')[0]);
			t.true(taken > 2 ** 20 && taken < target, `${taken} bytes`);
			await vm.powerButton();
			await ask(0);
			t.deepEqual(await vm.ended, {kind: 'power-off'}, guest.output);
			t.regex(guest.output, /^again=yes\r?$/m, guest.output);
			t.regex(guest.output, /^kept=same\r?$/m, guest.output);
			t.is(await see('state/keptBytes'), '0');
			t.notRegex(guest.output, /Out of memory|oom-kill|WARNING: CPU|BUG:|Call Trace|virtio.*(fail|error)|not a head/i);
		},
	);
