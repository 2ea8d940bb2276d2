import {stateError} from '#support/saved-state';
import type {SavedUnit, StateUnit} from './state-unit.ts';

/** Saved state of each unit, by name. */
export type SavedUnits = Readonly<Record<string, SavedUnit>>;

/** A machine's units, in the order of their needs. */
export class StateUnits {
	readonly #units: readonly StateUnit[];

	/** @throws TypeError for a need that is unknown or leads back to itself: the machine is built wrongly */
	constructor(units: readonly StateUnit[]) {
		this.#units = inOrder(units);
	}

	/** Names, each after those it needs. */
	get names(): readonly string[] {
		return this.#units.map(({name}) => name);
	}

	/** Starts every unit in order and waits for all: the processors do not wait for a slow back end. */
	async start(): Promise<void> {
		await Promise.all(this.#units.map((unit) => unit.start?.()));
	}

	/**
	 * Stops every unit, in the opposite order, each after the one before it has stopped, or could not be.
	 * @throws what the first of them threw, when all have been asked
	 */
	async stop(): Promise<void> {
		const failures: unknown[] = [];
		for (const unit of this.#units.toReversed()) {
			try {
				await unit.stop?.();
			} catch (cause) {
				failures.push(cause);
			}
		}
		if (failures.length > 0) throw failures[0];
	}

	/** Puts every unit into its state at power-on. */
	async reset(): Promise<void> {
		for (const unit of this.#units) await unit.reset?.();
	}

	/** Every unit's state. */
	async save(): Promise<SavedUnits> {
		const saved: [string, SavedUnit][] = [];
		for (const unit of this.#units) if (unit.save) saved.push([unit.name, await unit.save()]);
		return Object.fromEntries(saved);
	}

	/**
	 * Gives every unit its saved state. After a failure the machine is to be reset or ended.
	 * @throws VmmError STATE_UNITS_DIFFER, and what the units throw
	 */
	async restore(saved: SavedUnits): Promise<void> {
		const restorable = this.#units.filter(({restore}) => restore !== undefined);
		const names = restorable.map(({name}) => name);
		const isSaved = ({name}: StateUnit) => Object.hasOwn(saved, name);
		const missing = restorable.filter((unit) => !isSaved(unit) && unit.optional !== true).map(({name}) => name);
		const unknown = Object.keys(saved).filter((name) => !names.includes(name));
		if (missing.length + unknown.length > 0) throw stateError('STATE_UNITS_DIFFER', {missing, unknown});
		for (const unit of restorable.filter(isSaved)) await unit.restore?.(saved[unit.name]);
	}
}

function inOrder(units: readonly StateUnit[]): StateUnit[] {
	const ordered: StateUnit[] = [];
	const visit = (unit: StateUnit, path: readonly string[]): void => {
		if (path.includes(unit.name)) throw new TypeError(`units need each other: ${[...path, unit.name].join(' → ')}`);
		if (ordered.includes(unit)) return;
		for (const need of unit.needs) {
			const needed = units.find(({name}) => name === need);
			if (needed === undefined) throw new TypeError(`unit ${unit.name} needs ${need}, which is not there`);
			visit(needed, [...path, unit.name]);
		}
		ordered.push(unit);
	};
	for (const unit of units) visit(unit, []);
	return ordered;
}
