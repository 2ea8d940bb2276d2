/**
 * Where a serial port's bytes go. `console`: this process's terminal. `file`: overwritten at start.
 * `listen`: a Unix socket, one client at a time. `listen-tcp`: the same over TCP.
 */
export type SerialBackendConfig =
	| {readonly kind: 'none'}
	| {readonly kind: 'console'}
	| {readonly kind: 'stderr'}
	| {readonly kind: 'file'; readonly path: string}
	| {readonly kind: 'listen'; readonly path: string}
	| {readonly kind: 'listen-tcp'; readonly host: string; readonly port: number};
