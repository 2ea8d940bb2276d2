export {virtioConsoleMmioType, virtioConsolePciType} from './device-types.ts';
export {
	type ConsolePortConfig,
	mostPorts,
	type VirtioConsoleConfig,
	virtioConsoleId,
	virtioConsoleKind,
} from './handle.ts';
export {plugPort, resizePort, unplugPort} from './port-commands.ts';
