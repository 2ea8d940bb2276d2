import {type Command, done} from './command.ts';

/** `?`: why the guest stands still. */
export const lastStop: Command = (session) => session.lastStop;

/** `!`: the client may start the machine again. */
export const extendedMode: Command = () => done;

/** `vAttach`: the one process there is. */
export const attach: Command = async (session) => {
	await session.machine.pause();
	return session.lastStop;
};

/** `R`: starts the guest again. Not answered. */
export const restart: Command = async (session) => {
	await session.machine.reset();
	session.forgetRegisters();
	return undefined;
};

/** `k`: ends the machine. Not answered. */
export const kill: Command = (session) => {
	// Its end closes this connection.
	void session.machine.stop();
	return undefined;
};

/** `vKill`: the same, answered. */
export const killProcess: Command = (session) => {
	void session.machine.stop();
	return done;
};
