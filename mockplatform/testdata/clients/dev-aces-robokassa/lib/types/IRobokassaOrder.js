"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
//# sourceMappingURL=IRobokassaOrder.js.map