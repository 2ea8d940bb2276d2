/** The instructions that TypeScript carries out, and what they have in common. */

export {initialMxcsr} from './fx-area.ts';
export {systemInstructions} from './instructions.ts';
export {linearOf} from './operands.ts';
export type {After, Parts} from './parts.ts';
export {portBytes} from './ports.ts';
export {restoreUsual, saveUsual} from './usual-xsave.ts';
export {componentsOf, isXcr0, saveImage, takeImage} from './xsave-area.ts';
export {readUpperHalves, writeUpperHalves} from './ymm-area.ts';
