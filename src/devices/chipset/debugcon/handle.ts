import type {SerialBackendConfig} from '#devices/serial-backends';

/** Names this device in machine descriptions. */
export const debugconKind = 'debugcon';

/** The debug console: a port that takes bytes. */
export interface DebugconConfig {
	/** By convention 0xe9. OVMF's 0x402 lies among the ports of ACPI power management. */
	readonly port: number;
	readonly backend: SerialBackendConfig;
}
