import {VM} from '#main/api';
import {vmTest} from '#test/petri';
import {debianMachine, endsWith} from './testing/api-machine.ts';
import {checkDisk, hasUserLand, limitMs, systemdPatience, userLandMachine} from './user-land/user-land.ts';

for (const agent of ['console', 'vsock'] as const)
	vmTest(
		`the agent goes on beside Debian's systemd, which ends the machine in good order when it is told to (${agent})`,
		{on: ['software'], skip: !hasUserLand()},
		async (t) => {
			const {diskPath} = userLandMachine(t, {processors: 1, script: ''});
			// What the disk's own unit does is to run commands and power off.
			const words = ['init=/lib/systemd/systemd', 'systemd.mask=openvmm-run.service', ...systemdPatience];
			const {commandLine = [], ...machine} = debianMachine(t);
			t.timeout(limitMs);
			const vm = await VM.create({
				...machine,
				image: `raw:${diskPath}`,
				writable: true,
				agent,
				memory: '1G',
				startTimeout: limitMs,
				commandLine: [...commandLine, ...words],
			});
			endsWith(t, vm);
			t.like(await vm.guest(), {isInit: false});
			// The agent answers when the root is there, before systemd is.
			const up = 'until test -S /run/systemd/private; do sleep 0.1; done; systemctl is-system-running --wait';
			t.is((await vm.exec(up)).stdout, 'running\n');
			t.is((await vm.exec('systemctl --failed --plain --no-legend')).stdout, '');
			t.is(await vm.files.readText('/proc/1/comm'), 'systemd\n');
			await vm.stop({timeout: Number.POSITIVE_INFINITY});
			t.deepEqual(await vm.ended, {kind: 'power-off'}, vm.console.text);
			checkDisk(t, diskPath);
		},
	);
