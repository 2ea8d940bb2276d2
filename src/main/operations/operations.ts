import {feedConsole, resizeConsole} from './console.ts';
import {diskAdd, diskRemove} from './disks.ts';
import {pcieAdd, pcieRemove} from './hot-plug.ts';
import {inspect, status, update} from './inspect.ts';
import type {Operation} from './operation.ts';
import {kernelSymbols, profile, samples} from './profile.ts';
import {
	attach,
	attachLun,
	detach,
	detachLun,
	eject,
	insert,
	limitDisk,
	limitNic,
	nmi,
	pause,
	powerButton,
	quit,
	reset,
	resizeDisk,
	resume,
	setLink,
} from './running.ts';
import {dumpCore, saveSnapshot} from './save.ts';
import {shutDown} from './shut-down.ts';
import {plug, resizeConsolePort, setBalloon, unplug} from './virtio.ts';

/** Every operation; the order is that of the help. */
export const machineOperations: readonly Operation[] = [
	status,
	inspect,
	update,
	feedConsole,
	resizeConsole,
	pause,
	resume,
	reset,
	nmi,
	shutDown,
	powerButton,
	dumpCore,
	profile,
	samples,
	kernelSymbols,
	pcieAdd,
	pcieRemove,
	diskAdd,
	diskRemove,
	resizeDisk,
	limitDisk,
	limitNic,
	setLink,
	attach,
	detach,
	attachLun,
	detachLun,
	eject,
	insert,
	setBalloon,
	plug,
	unplug,
	resizeConsolePort,
	saveSnapshot,
	quit,
];
