export type {SavedUnit, StateUnit} from './state-unit.ts';
export {type SavedUnits, StateUnits} from './state-units.ts';
