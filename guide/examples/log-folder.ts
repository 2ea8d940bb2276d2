/** A program whose guest sees a folder that the program is: files that are made up, over which the guest writes in memory. */
import {createVm, functionFolder, overlayFolder, vmConfig} from 'openvmm';

const started = Date.now();

/** `status` says how long the program has been running; `machines/` has a file for each machine. */
export const logFolder = (machines: readonly string[]) =>
	overlayFolder(
		functionFolder((path) => {
			if (path === '/') return ['status', 'machines/'];
			if (path === '/status') return `up for ${Date.now() - started} ms\n`;
			if (path === '/machines') return machines;
			const name = path.slice('/machines/'.length);
			return path.startsWith('/machines/') && machines.includes(name) ? `this is ${name}\n` : undefined;
		}),
	);

/** A machine that mounts it: `mount -t 9p -o trans=virtio,version=9p2000.L program /mnt`. */
export const machineWithFolder = (kernel: string, initrd: string) =>
	createVm(
		vmConfig({
			boot: {kind: 'linux', kernel, initrd, commandLine: ['console=ttyS0']},
			devices: [
				{
					name: 'program',
					kind: 'virtio-9p-mmio',
					options: {tag: 'program', folder: logFolder(['one', 'two']), base: 0xd000_0000},
				},
			],
		}),
	);
