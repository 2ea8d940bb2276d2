export {exampleOptions} from './example-options.ts';
export {type Access, type Below, fits, generator, randomFields, randomSteps, type Step} from './random-accesses.ts';
