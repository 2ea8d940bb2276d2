import type {SerialBackend} from './serial-backend.ts';

/** Nothing attached. */
export class DisconnectedBackend implements SerialBackend {
	readonly connected = false;
	readonly flushed = true;

	write(): number {
		return 0;
	}

	read(): number {
		return 0;
	}

	interest(): void {}

	feed(): number {
		return 0;
	}

	dispose(): void {}
}
