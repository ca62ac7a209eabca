"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
//# sourceMappingURL=IRobokassaInitOptions.js.map