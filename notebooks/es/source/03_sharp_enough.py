# ---
# jupyter:
#   torchfakes:
#     needs: [clips, faces, scores]
#     unlinked: [weight, score]
# ---

# %% [markdown]
# # 03 · ¿Bastante nítida?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/es/03_sharp_enough.ipynb)
#
# **En esta lección conviertes «borroso» en un número, descubres qué más mueve ese número, y ves cómo un filtro
# inofensivo puede darle la respuesta a una red.**
#
# - **Aprenderás a** deslizar a mano un laplaciano sobre una cara, medir la nitidez a un solo tamaño, elegir un umbral
#   (threshold) con los ojos abiertos, contar a quién deja fuera, y reconocer un filtro que filtra la etiqueta (label
#   leak).
# - **Necesitas** las rebanadas (slices) de NumPy y un primer `groupby` de pandas. La lección 02b hizo los recortes,
#   pero no hace falta.
# - **Tiempo:** unos 30 min de lectura, 35 min de ejercicios, 20 s de ejecución en dos núcleos de CPU.
#
# Cuando el detector de nuestro equipo de bootcamp respondió «Real, Real, Real», pronto hubo un sospechoso: «los datos
# estaban borrosos». Así que tiraron todos los recortes (crops) con una nitidez menor que 30. ¿Por qué 30, a qué
# tamaño, y de quién eran los recortes que salieron? Nadie lo había preguntado. En esta lección preguntamos.

# %%
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("torchfakes_utils") is None:  # si no: `make setup`
    import subprocess

    package = "torchfakes @ git+https://github.com/torchfakes/torchfakes@v0.1.0"  # o un wheel que hayas subido
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)

from torchfakes_utils import course
from torchfakes_utils.course import plots

course.begin("es")  # ejecuta esta celda primero, y otra vez si reinicias el kernel

# %%
import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.course import lesson_03, lesson_03_figures, widgets
from torchfakes_utils.crops import table as crop_table
from torchfakes_utils.faces import quality
from torchfakes_utils.io.tables import CLIP_COLUMNS, read_table
from torchfakes_utils.metrics import binary, intervals

faces = course.faces_table()
real, fake = lesson_03.changing_clip(faces)
both = pd.concat([real, fake])
pictures = [plots.face(file) for file in both["file"]]
titles = [f"{plots.NAMES[row.label]}: {row.sharpness:.0f}" for row in both.itertuples()]
title = "Una persona, dos segundos: arriba lo real, abajo su fake"
plots.images(pictures, titles, columns=4, labels=both["label"].tolist(), title=title)

# %% [markdown]
# Estos son cuatro fotogramas (frames) de un video real, y de un fake suyo, en orden de tiempo. Dos veces la imagen
# sale movida y después clara; el número sobre cada recorte sube y baja con ella. <!-- holds:
# real["sharpness"].iloc[[0, 2]].max() < real["sharpness"].iloc[[1, 3]].min() / 3 --> Donde sale movida, cuesta decir
# qué fila es el fake. ¿Qué mide el número?

# %% [markdown]
# ## 1 · ¿Qué le falta a una cara borrosa?
#
# Toma una línea de píxeles, derecha a través de los ojos. Recórrela y pregunta en cada píxel: ¿es más claro o más
# oscuro que la mitad entre sus dos vecinos? Esa es la **segunda diferencia**: izquierda + derecha − dos veces el
# centro.

# %%
options = ["grande", "pequeña", "cero"]
guess_slope = course.predict(
    "En una pendiente uniforme de piel, de oscuro a claro, la segunda diferencia es …", options=options
)

# %%
sharp = pictures[int(real["sharpness"].argmax())]
blurred = cv2.GaussianBlur(sharp, (0, 0), 3)  # el mismo fotograma, desenfocado
lesson_03_figures.edges_figure({"nítida": sharp, "borrosa": blurred}, row=60)

# %%
slope = np.array([10, 40, 70, 100, 130])  # cada píxel, 30 más claro que el anterior
bends = slope[:-2] + slope[2:] - 2 * slope[1:-1]
print("segundas diferencias de la pendiente:", bends)
guess_slope.answer("cero" if not bends.any() else "grande")

lines = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[60].astype(float) for picture in (sharp, blurred)]
height_left = lines[1].std() / lines[0].std()
bends_left = np.diff(lines[1], 2).std() / np.diff(lines[0], 2).std()
print(f"queda el {height_left:.0%} de las subidas y bajadas, el {bends_left:.0%} de las segundas diferencias")

# %% [markdown]
# **Lo que vimos.** Una pendiente, por empinada que sea, da cero: cada píxel está justo entre sus vecinos. La segunda
# diferencia responde solo donde el brillo *se dobla*. En la línea borrosa siguen ahí las grandes colinas y los
# valles, con el {= height_left : .0 % =} de su altura: ojos oscuros, nariz clara. <!-- holds: height_left > 0.5 -->
# Lo que falta son los cambios bruscos. De las segundas diferencias queda el {= bends_left : .0 % =}. <!-- holds:
# bends_left < 0.25 -->

# %% [markdown]
# ## 2 · ¿Cómo se desliza sobre una imagen?
#
# En dos dimensiones un píxel tiene cuatro vecinos. Suma la segunda diferencia a lo largo de la fila y la de la
# columna. Escrito como pesos para una ventana de 3×3 píxeles, este es el **laplaciano**:
#
# $$\begin{pmatrix}0&1&0\\1&-4&1\\0&1&0\end{pmatrix}$$
#
# ### Te toca · La nitidez a mano
#
# *5 min, dificultad 1 de 3.* Escribe el laplaciano de una imagen gris (H, W), sin biblioteca: para cada píxel,
# arriba + abajo + izquierda + derecha − 4 × el centro. El resultado también tiene la forma (H, W). En el borde falta
# un vecino, así que empieza con `around = np.pad(np.asarray(grey, float), 1, mode="reflect")`, que es (H + 2, W + 2).
# Entonces `around[:-2, 1:-1]` guarda, para cada píxel, el de arriba. Ejemplo: en el centro de `[[1, 2, 3], [4, 9, 6],
# [7, 8, 9]]` la respuesta es 2 + 8 + 4 + 6 − 36 = −16.


# %%
def laplacian(grey: np.ndarray) -> np.ndarray:
    """Suma de los cuatro vecinos menos cuatro veces el centro; de (H, W) a (H, W)."""
    # your code here: tu código aquí


course.check(lesson_03.LAPLACIAN, laplacian)
laplacian = course.yours(lesson_03.LAPLACIAN, laplacian)

# %% [markdown]
# <details><summary>Una solución</summary>
#
# ```python
# def laplacian(grey):
#     around = np.pad(np.asarray(grey, float), 1, mode="reflect")
#     above, below = around[:-2, 1:-1], around[2:, 1:-1]
#     left, right = around[1:-1, :-2], around[1:-1, 2:]
#     return above + below + left + right - 4 * around[1:-1, 1:-1]
# ```
#
# </details>
#
# Ahora pruébalo con una imagen pequeña, oscura a la izquierda y clara a la derecha. ¿Qué columnas responderán, y con
# qué signos?

# %% tags=["nbval-check-output"]
step = np.array([[10, 10, 10, 200, 200, 200]] * 3, np.uint8)
print(np.asarray(laplacian(step)).astype(int))

# %% [markdown]
# Más, luego menos: cada borde responde dos veces, una a cada lado. Ahora una cara entera, y lo mismo hecho por
# OpenCV.

# %% tags=["nbval-check-output"]
grey = cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY)
by_hand, by_library = np.asarray(laplacian(grey)), cv2.Laplacian(grey, cv2.CV_64F)
print("la misma forma:", by_hand.shape == by_library.shape, "  mayor diferencia:", np.abs(by_hand - by_library).max())

# %%
smeared = pictures[int(real["sharpness"].argmin())]
answers = [np.asarray(laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))) for picture in (sharp, smeared)]
shown = [np.clip(128 + 3 * answer, 0, 255).astype(np.uint8) for answer in answers]  # el gris es cero
names = ["nítida", "su laplaciano", "movida", "su laplaciano"]
plots.images([sharp, shown[0], smeared, shown[1]], names, title="Una cara movida apenas responde", inches=1.7)

# %% [markdown]
# **Lo que vimos.** Unas pocas rebanadas y OpenCV coinciden hasta la última cifra, borde incluido. En la cara nítida
# responde cada arruga. La cara movida, del video de arriba, es casi un gris plano, que significa cero. <!-- holds:
# answers[1].std() < 0.3 * answers[0].std() --> Quedan líneas en la dirección en que tembló la cámara: un borde que se
# mueve a lo largo de sí mismo no se emborrona. <!-- holds: np.diff(smeared.mean(2), 2, axis=0).std() > 1.3 *
# np.diff(smeared.mean(2), 2, axis=1).std() -->
#
# **Rómpelo.** Las imágenes son `uint8`, y eso devuelve OpenCV si se lo pides con −1 («como la entrada»). Pero la
# mitad de cada borde es negativa.

# %% tags=["nbval-check-output"]
print("float64:", cv2.Laplacian(step, cv2.CV_64F)[0].astype(int))
print("uint8:  ", cv2.Laplacian(step, -1)[0], " <- la mitad negativa desapareció, sin decir nada")

# %% [markdown]
# ## 3 · ¿Cómo se vuelve una imagen un solo número?
#
# Una cara nítida responde con fuerza en unos lugares y en otros no; una borrosa no responde en ninguno. Así que toma
# la dispersión de todas las respuestas, su **varianza**. Ese es todo el método (Pech-Pacheco et al., 2000).

# %%
question = "Desenfocamos la cara nítida un píxel. ¿Cuánto queda de su número?"
guess_blur = course.predict(question, 0, 100, unit="%")

# %%


def spread(face: np.ndarray) -> float:
    """Varianza del laplaciano de un recorte (H, W, 3), a su propio tamaño."""
    return np.asarray(laplacian(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))).var()


ladder = {0: sharp} | {sigma: cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (0.5, 1, 2)}
number = {sigma: spread(face) for sigma, face in ladder.items()}
titles = [f"desenfoque {sigma:g} px: {value:.0f}" for sigma, value in number.items()]
plots.images(list(ladder.values()), titles, title="El número cae mucho antes de que se vea algo")

# %%
left = number[1] / number[0]
guess_blur.answer(100 * left)

# %% [markdown]
# **Lo que vimos.** De izquierda a derecha crece el desenfoque, y el primer paso casi no se ve. Un píxel de desenfoque
# (la desviación estándar de una gaussiana) deja el {= left : .0 % =} del número. Es mucho más sensible que tu ojo.
# <!-- holds: left < 0.25 --> Eso te ayuda a encontrar una lente mal enfocada. También es un aviso: otras cosas
# pequeñas pueden mover el número igual de lejos.

# %% [markdown]
# ## 4 · ¿Es 30 una propiedad del desenfoque?
#
# El primer proyecto TorchFakes llamaba borroso a un recorte cuando su número quedaba por debajo de **30**
# (`faces.config.SHARPNESS_THRESHOLD`). Tratemos *una* cara de seis maneras. Se corta de su video a tres tamaños: 80,
# 160 y 320 px. Después, siempre a 160 px, recibe algo de ruido, o la mitad del contraste, o se corta del mismo video
# en su compresión más dura, c40.

# %%
question = "Un fotograma, cortado a 80, 160 y 320 px. Divide el número más alto entre el más bajo. ¿Qué sale?"
guess_sizes = course.predict(question, 1, 60)

# %%
clips, data = read_table(course.ensure("clips"), CLIP_COLUMNS), course.paths().data
row = real.iloc[int(real["sharpness"].argmax())]
small, usual, large = (lesson_03.cut_again(row, clips, data, "c23", size) for size in (80, 160, 320))
noise = np.random.default_rng(0).normal(0, 1, (160, 160, 1))
noisy = np.clip(usual + 5 * noise, 0, 255).round().astype(np.uint8)
pale = (usual // 2 + 64).astype(np.uint8)
heavy = lesson_03.cut_again(row, clips, data, "c40")

cases = {"80 px": small, "160 px": usual, "320 px": large, "ruido": noisy, "medio contraste": pale, "c40": heavy}
number = {name: spread(face) for name, face in cases.items()}
titles = [f"{name}: {value:.0f}" for name, value in number.items()]
plots.images(list(cases.values()), titles, columns=3, title="Una cara, seis «nitideces»", inches=2)

# %%
factor = number["80 px"] / number["320 px"]
guess_sizes.answer(factor)

# %% [markdown]
# **Lo que vimos.** El recorte pequeño tiene el número más alto, {= factor : .0f =} veces el del grande, aunque es el
# que *menos* detalle guarda. <!-- holds: number["80 px"] == max(number.values()) and factor > 5 --> Encoger convierte
# una pendiente de cuatro píxeles en un escalón de uno. Ampliar estira cada borde. Un umbral de 30 no dice nada hasta
# que dices para qué tamaño.
#
# El contraste entra al cuadrado: con la mitad del contraste queda el {= number["medio contraste"] / number["160 px"]
# : .0 % =} del número, un cuarto. <!-- holds: abs(number["medio contraste"] / number["160 px"] - 0.25) < 0.03 --> Una
# cara con poco contraste no es una cara borrosa, pero el filtro no lo distingue. La compresión quita los bordes
# finos. <!-- holds: number["c40"] < number["160 px"] --> Y el ruido *sube* el número. <!-- holds: number["ruido"] >
# number["160 px"] -->
#
# ### Te toca · Un tamaño para todas
#
# *8 min, dificultad 2 de 3.* Escribe `sharpness(grey, size)`: lleva un recorte gris (H, W) de `uint8` a `size` ×
# `size` píxeles, y devuelve la varianza de su laplaciano, un solo número. Para cambiar el tamaño usa
# `cv2.resize(grey, (size, size), interpolation=…)`: `cv2.INTER_AREA`, que promedia, para un recorte más grande que
# `size`, y `cv2.INTER_LINEAR` para uno más pequeño. Como laplaciano, toma el tuyo o el de OpenCV. Ejemplo: una pared
# sin bordes, `np.full((80, 80), 128, np.uint8)`, tiene una nitidez de 0 a cualquier tamaño.


# %%
def sharpness(grey: np.ndarray, size: int) -> float:
    """Varianza del laplaciano de un recorte (H, W) uint8 llevado primero a `size` x `size` píxeles."""
    # your code here: tu código aquí


course.check(lesson_03.SHARPNESS, sharpness)
sharpness = course.yours(lesson_03.SHARPNESS, sharpness)

# %% [markdown]
# <details><summary>Una solución</summary>
#
# ```python
# def sharpness(grey, size):
#     shrinking = grey.shape[0] > size
#     grey = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
#     return cv2.Laplacian(grey, cv2.CV_64F).var()
# ```
#
# </details>
#
# El paquete hace lo mismo en `faces.quality.variance_of_laplacian`, a 160 px. Entonces todos los recortes se miden al
# mismo tamaño. ¿Tiene ahora una cara un solo número?

# %%
sizes = ("80 px", "160 px", "320 px")
common = {name: sharpness(cv2.cvtColor(cases[name], cv2.COLOR_RGB2GRAY), 160) for name in sizes}
own = {name: number[name] for name in sizes}
pd.DataFrame({"a su propio tamaño": own, "llevado a 160 px": common}).rename_axis("cortado a").round(0).astype(int)

# %% [markdown]
# No, pero los números están más cerca. Cortada a 160 px tiene {= common["160 px"] : .0f =}. Cortada a 320 px y
# reducida tiene {= common["320 px"] : .0f =}, porque cada uno de los dos caminos a 160 px quita otro detalle. <!--
# holds: 0.6 < common["320 px"] / common["160 px"] < 0.95 --> Y ningún cambio de tamaño devuelve lo que perdió un
# recorte pequeño: el de 80 px es el menos nítido de los tres. <!-- holds: common["80 px"] == min(common.values()) and
# common["80 px"] < 0.5 * common["160 px"] --> Las caras que son pequeñas en su fotograma saldrán «borrosas», y en
# cierto sentido lo son.
#
# ### Te toca · Lo que añade el ruido
#
# *5 min, dificultad 2 de 3.* Cada píxel tiene su propio error al azar, con varianza *s*². Un núcleo (kernel) suma
# varios píxeles, cada uno por su peso. Bastan dos reglas: una variable por *w* tiene *w*² veces la varianza, y las
# varianzas de errores independientes se suman. Escribe `noise_gain(kernel)`: ¿por qué factor multiplica un núcleo (h,
# w) la varianza de ese ruido? Ejemplo: la media de dos píxeles, `[[0.5, 0.5]]`, deja 0.25 + 0.25 = 0.5 de ella.


# %%
def noise_gain(kernel: np.ndarray) -> float:
    """Varianza del ruido después del núcleo (h, w), dividida entre su varianza de antes."""
    # your code here: tu código aquí


course.check(lesson_03.NOISE_GAIN, noise_gain)
noise_gain = course.yours(lesson_03.NOISE_GAIN, noise_gain)

# %% [markdown]
# <details><summary>Una solución</summary>
#
# ```python
# def noise_gain(kernel):
#     return (np.asarray(kernel, float) ** 2).sum()
# ```
#
# </details>

# %%
kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
gain = noise_gain(kernel)
flat = 128 + np.random.default_rng(0).normal(0, 2, (500, 500))  # una pared gris, vista por un sensor con ruido: s = 2
wall = np.asarray(laplacian(flat)).var()
print(f"el laplaciano multiplica la varianza del ruido por {gain:.0f}")
print(f"una pared sin un solo borde, s = 2: se espera {gain * 2**2:.0f}, se mide {wall:.1f}")

# %%
levels = [0, 0.5, 1, 1.5, 2, 3, 4]
soft = cv2.GaussianBlur(usual, (0, 0), 3)


def with_noise(face: np.ndarray, level: float) -> float:
    """Nitidez de una cara a la que se le añade ruido de esa desviación estándar."""
    return quality.variance_of_laplacian(np.clip(face + level * noise, 0, 255).round().astype(np.uint8))


curves = {name: [with_noise(face, s) for s in levels] for name, face in (("nítida", usual), ("borrosa", soft))}
lesson_03_figures.noise_figure(levels, curves)

# %% [markdown]
# **Lo que vimos.** Los pesos del laplaciano, al cuadrado, suman 1 + 1 + 1 + 1 + 16 = 20, así que el ruido añade 20
# *s*², haya bordes o no. <!-- holds: gain == 20 and abs(wall / 80 - 1) < 0.05 --> En la figura, un ruido de dos
# niveles de gris entre 256, que nadie puede ver, levanta una cara muy borrosa de {= curves["borrosa"][0] : .0f =} a
# {= curves["borrosa"][4] : .0f =}, por encima del umbral. <!-- holds: curves["borrosa"][0] < 30 <
# curves["borrosa"][4] --> Así que el filtro conserva caras borrosas de cámaras con grano y quita caras limpias,
# suaves y bien iluminadas. Mide *cambios rápidos del brillo*, vengan de donde vengan.

# %% [markdown]
# ## 5 · ¿Dónde están nuestros recortes?
#
# Todas las personas de Mini-FF++ salen de dos fotografías: la de la astronauta Eileen Collins y la de la
# contralmirante Grace Hopper. Los videos de algunas personas se desenfocan o tiemblan un rato, los originales igual
# que los fakes. Mueve el umbral y mira tres cosas: qué parte del histograma sale, de quién, y qué aspecto tienen los
# recortes justo por debajo y por encima.

# %%
origin = faces["target_id"].map(lesson_03.portraits(data)).fillna("unknown")
widgets.explore(
    lambda threshold: lesson_03_figures.thrown_away(faces, origin, threshold),
    threshold=(0, 400, 10, 30), states=[{"threshold": 30}],
)  # fmt: skip

# %% [markdown]
# Para quien lee sin ejecutar: arriba está la figura con 30, aquí con 150. A la izquierda están los recortes de cada
# fotografía según su nitidez, con el umbral como línea discontinua. A la derecha, la proporción que sale. Abajo, para
# cada fotografía, el último recorte que sale y el primero que se queda.

# %%
lesson_03_figures.thrown_away(faces, origin, 150)

# %%
groups = faces.groupby(origin.rename("retrato"))["sharpness"]
by_portrait = pd.DataFrame(
    {
        "recortes": groups.size(),
        "mediana": groups.median().round(),
        "menos de 30": groups.agg(lambda values: (values < 30).mean()).round(3),
        "menos de 150": groups.agg(lambda values: (values < 150).mean()).round(3),
    }
)
medians, at_30, at_150 = (by_portrait[name] for name in ("mediana", "menos de 30", "menos de 150"))
between = lesson_03.valley(faces["sharpness"].to_numpy(), medians.min(), medians.max())
near = faces["sharpness"].between(24, 36).sum()
by_portrait

# %%
lesson_03_figures.close_up(faces["sharpness"], origin)

# %% [markdown]
# **Lo que vimos.** La colina baja de la izquierda es desenfoque. Las dos colinas altas no son «borroso» y «nítido»:
# son las dos fotografías, una más definida que la otra, con un valle cerca de {= between : .0f =} entre ellas. <!--
# holds: medians.max() > 2 * medians.min() --> Con 150, el «filtro de desenfoque» ordena a las personas según *quién
# les hizo la foto*: sale el {= at_150.max() : .0 % =} de un grupo y el {= at_150.min() : .0 % =} del otro. <!--
# holds: at_150.max() > 2 * at_150.min() --> En datos de verdad los grupos son teléfonos y cámaras de estudio, videos
# viejos y nuevos, piel lisa y barbas.
#
# ¿Y 30? Quita el {= at_30.max() : .0 % =} de un grupo y el {= at_30.min() : .0 % =} del otro, que parece justo. <!--
# holds: at_30.max() < 2 * at_30.min() --> Pero no cae en un hueco. La última figura muestra sola la colina borrosa,
# Collins abajo y Hopper encima. La colina acaba por encima de 40, así que 30 corta *a través* de su lado derecho, y
# {= near =} recortes están a menos de un quinto de él. <!-- holds: faces["sharpness"].between(30, 36).sum() >
# faces["sharpness"].between(40, 46).sum() --> <!-- holds: near > 0.01 * len(faces) --> Mira las cuatro caras del
# control con 30. Casi el mismo número tienen la segunda imagen, una Collins suave cuya cara aún puedes juzgar, y la
# cuarta, una Hopper muy movida. Las dos se quedan. Para la fotografía más suave, 30 es el {= 30 / medians.min() : .0
# % =} de lo que tiene un recorte normal; para la más definida, el {= 30 / medians.max() : .0 % =}. <!-- holds: 30 /
# medians.min() > 2 * (30 / medians.max()) --> Ningún umbral de este número quiere decir «borroso» para las dos. Así
# que mira el histograma, y las caras junto a la línea, antes de elegir.

# %% [markdown]
# ## 6 · ¿A quién deja fuera un filtro?
#
# Un filtro es justo solo si quita la misma proporción de reales y de fakes. Quien falsifica a baja resolución pega
# una cara suave en un fotograma nítido; quien copia una textura con una costura dura pega una muy definida. ¿De quién
# son los recortes que saldrán primero cuando suba el umbral? Lo dice una tabla.
#
# ### Te toca · ¿A quién se lleva?
#
# *10 min, dificultad 2 de 3.* Escribe `share_rejected(faces, threshold)`. `faces` es una tabla con las columnas
# `method` y `sharpness`. Devuelve un dict (o una columna de pandas con el método como índice): para cada método, la
# proporción de *sus* recortes, de 0 a 1, con una nitidez menor que el umbral. Los videos reales también tienen un
# método, `youtube`, así que esto separa también las clases. Ejemplo: si el método A tiene las nitideces 10 y 50, y B
# tiene 40, un umbral de 30 da `{"A": 0.5, "B": 0.0}`.


# %%
def share_rejected(faces: pd.DataFrame, threshold: float) -> dict[str, float]:
    """Para cada método, la proporción de sus recortes con una nitidez menor que el umbral."""
    # your code here: tu código aquí


course.check(lesson_03.SHARE_REJECTED, share_rejected)
share_rejected = course.yours(lesson_03.SHARE_REJECTED, share_rejected)

# %% [markdown]
# <details><summary>Una solución</summary>
#
# ```python
# def share_rejected(faces, threshold):
#     below = faces["sharpness"] < threshold
#     return below.groupby(faces["method"]).mean().to_dict()
# ```
#
# </details>

# %%
training = faces[faces["split"] == "train"]
rejected = pd.DataFrame({f"menos de {threshold}": share_rejected(training, threshold) for threshold in (30, 150)})
apart = (rejected.max() - rejected.min()).max()
rejected.round(3)

# %% [markdown]
# **Lo que vimos.** En cada columna las cinco filas están a menos de {= 100 * apart : .1f =} puntos porcentuales unas
# de otras. <!-- holds: apart < 0.06 --> El desenfoque se puso por igual en originales y fakes, y quien hizo Mini-FF++
# le dio a cada cara falsa más o menos tanto detalle como tiene su original. La *cantidad* de detalle no separa aquí
# lo real de lo falso; solo puede hacerlo su aspecto.
#
# No trabajan así quienes falsifican. En recortes del Deepfake Detection Challenge, con deepfakes de verdad, un umbral
# de 30 quitaría el 29 % de los reales y el 42 % de los fakes (medido una vez; está en `docs/data_tables.md`). Un
# filtro así quita los fakes que son suaves *porque son fakes*, justo la huella que una red debería aprender. Lo que
# queda es un conjunto de datos en el que quienes falsifican trabajan con más limpieza que en la realidad.
#
# Por eso `quality.filter_blurred` pregunta al *original*: sus fakes salen y se quedan con su recorte del mismo
# fotograma. Y `torchfakes train` no quita nada por defecto; las lecciones piden el 30 del primer proyecto. Haz de la
# tabla una costumbre: ningún filtro sin ella. `quality.rejection_table` la cuenta por etiqueta (label), método y
# partición (split).
#
# ### ¿Y si los videos se comprimen más?
#
# FF++ viene en varias compresiones; c23 es ligera, c40 es fuerte. Aquí están los mismos fotogramas, cortados en el
# mismo lugar, de las dos. Para ahorrar tiempo son dos fotogramas de cada video; la tabla de arriba los cuenta todos.

# %%
both = lesson_03.in_both(training, clips, data)
halved = both["c40"].median() / both["c23"].median()
below = {codec: (both[codec] < 30).mean() for codec in ("c23", "c40")}
print(f"{len(both)} recortes; proporción por debajo de 30: c23 {below['c23']:.1%}, c40 {below['c40']:.1%}")
lesson_03_figures.codec_figure(both)

# %% [markdown]
# **Lo que vimos.** Cada punto es un recorte; debajo de la diagonal de puntos, c40 ha quitado nitidez. A un recorte
# típico le deja el {= halved : .0 % =} de su número. <!-- holds: halved < 0.8 --> Entonces deberían caer más recortes
# por debajo de 30. Caen menos: el {= below["c40"] : .1 % =} frente al {= below["c23"] : .1 % =}. <!-- holds:
# below["c40"] < below["c23"] --> Los recortes borrosos, a la izquierda, están *por encima* de la diagonal. <!--
# holds: (both.loc[both["c23"] < 30, "c40"] > both.loc[both["c23"] < 30, "c23"]).mean() > 0.8 --> El códec convierte
# las pendientes suaves en escaleras, bloque por bloque, y cada escalón es un borde. Solo son más nítidos para el
# laplaciano. Un umbral pertenece a un tamaño de recorte *y* a un códec.

# %% [markdown]
# ## 7 · ¿Cómo puede un filtro delatar la etiqueta?
#
# Imagina que solo los fakes dan un rodeo: se guardan a menor resolución, o pasan por un códec más, o los corta otro
# script. Lo único que cambia es un poco de desenfoque, en una clase. Este es el detector más corto del curso, que
# nunca ha visto una falsificación: *cuanto más suave, más falso*. Su AUC es la proporción de pares, un real y un
# fake, que pone en el orden correcto; una moneda tiene 0.5.

# %%
question = "Solo los fakes se desenfocan un píxel. ¿A qué AUC llega «cuanto más suave, más falso»?"
guess_auc = course.predict(question, 0.3, 1.0)

# %%
some = crop_table.limit_frames(faces, 4)
rows = []
for split, blur in [("train", 0), ("train", 0.5), ("train", 1), ("train", 1.5), ("test", 0)]:
    crops = some[some["split"] == split]
    auc, low, high = lesson_03.softness_auc(crops, lesson_03.sharpness_after(crops, blur))
    rows.append({"split": split, "desenfoque de fakes, px": blur, "AUC": auc, "low": low, "high": high})
detour = pd.DataFrame(rows)
detour.round(2)

# %%
leak = detour.set_index(["split", "desenfoque de fakes, px"])["AUC"]
guess_auc.answer(leak["train", 1])

# %% [markdown]
# **Lo que vimos.** `low` y `high` son los extremos del intervalo del 95 %. Sin rodeo, la regla es más o menos una
# moneda ({= leak["train", 0] : .2f =}). <!-- holds: abs(leak["train", 0] - 0.5) < 0.08 --> Un desenfoque de un píxel,
# en una sola clase, y una regla que no sabe nada de caras llega a {= leak["train", 1] : .2f =}. <!-- holds:
# leak["train", 1] > 0.8 --> Una red encontraría la misma regla en minutos, y su curva de validación se vería
# espléndida, porque los recortes de validación pasaron por los mismos scripts. En recortes de prueba honestos, en la
# última fila, la regla vuelve a ser más o menos una moneda. <!-- holds: abs(leak["test", 0] - 0.5) < 0.12 -->
#
# Un *filtro* puede hacer lo mismo. Filtra las dos clases, y la nitidez sigue sin servir. Limpia solo los fakes,
# «porque los suaves se veían muy mal», y la ausencia de fakes suaves se vuelve la pista. Aquí la regla es *cuanto más
# nítido, más falso*:

# %%
kept = {
    "sin filtro": training,
    "ambas clases con 30": quality.filter_blurred(training),
    "solo fakes con 200": training[(training["label"] == 0) | (training["sharpness"] >= 200)],
    "solo fakes con 300": training[(training["label"] == 0) | (training["sharpness"] >= 300)],
}
counts = {name: crops["label"].value_counts() for name, crops in kept.items()}
clue = {name: 1 - lesson_03.softness_auc(crops, crops["sharpness"].to_numpy())[0] for name, crops in kept.items()}
table = {name: {"real": counts[name][0], "fake": counts[name][1], "AUC": round(clue[name], 2)} for name in kept}
pd.DataFrame(table).T.astype({"real": int, "fake": int})

# %% [markdown]
# **Lo que vimos.** Con las dos clases filtradas igual, el AUC se queda cerca de 0.5. <!-- holds: abs(clue["ambas
# clases con 30"] - 0.5) < 0.08 --> Solo con los fakes sube a {= clue["solo fakes con 300"] : .2f =}. <!-- holds:
# clue["solo fakes con 300"] > clue["solo fakes con 200"] > clue["sin filtro"] + 0.05 --> Lo que les hagas a los
# recortes, házselo igual a las dos clases, con el mismo código, y mide después. Si un solo número, la nitidez o el
# tamaño del archivo o el brillo, separa por sí mismo lo real de lo falso, una red lo usará. Mini-FF++ tiene una
# prueba que mantiene cada pista así por debajo de un AUC de 0.65. Las dos últimas filas de la tabla no la pasarían.
# <!-- holds: min(clue["solo fakes con 200"], clue["solo fakes con 300"]) > 0.65 > clue["ambas clases con 30"] --> Tu
# propio conjunto de datos debería tener también una prueba así.

# %% [markdown]
# ## 8 · ¿Puedo filtrar los recortes de prueba?
#
# El detector del curso (lo entrenas en la lección 05) ha juzgado los recortes de prueba. Le ponemos nota tres veces:
# con todos, sin los borrosos, y solo con los borrosos.

# %%
options = ["sube", "no cambia", "baja"]
guess_exam = course.predict("Quitas del examen los recortes borrosos. ¿Qué hace su AUC?", options=options)

# %%
scores = read_table(course.ensure("scores"), ["path", "label", "probability_fake"])
judged = scores.merge(faces[["path", "sharpness"]], on="path")
is_blurred = judged["sharpness"] < quality.SHARPNESS_THRESHOLD
exams = {"todos": judged, "sin los borrosos": judged[~is_blurred], "solo los borrosos": judged[is_blurred]}
rows = {}
for name, crops in exams.items():
    result = binary.binary_metrics(crops["label"], crops["probability_fake"])
    low, high = intervals.bootstrap_interval(crops) or (np.nan, np.nan)
    rows[name] = {key: result[key] for key in ("n_real", "n_fake", "auc")} | {"low": low, "high": high}
exam = pd.DataFrame(rows).T.astype({"n_real": int, "n_fake": int}).round(3)
exam

# %%
change = exam["auc"]["sin los borrosos"] - exam["auc"]["todos"]
guess_exam.answer("sube" if change > 0.001 else "baja" if change < -0.001 else "no cambia")

# %% [markdown]
# **Lo que vimos.** La red es la misma, y su nota sube {= change : .3f =} cuando se dejan fuera las preguntas
# borrosas. <!-- holds: change > 0 --> La última fila dice lo que se escondía: en los recortes borrosos el AUC es {=
# exam["auc"]["solo los borrosos"] : .3f =}, más bajo que en los otros. <!-- holds: exam["auc"]["solo los borrosos"] <
# exam["auc"]["sin los borrosos"] --> Son pocos recortes de pocas personas, {= exam["n_real"]["solo los borrosos"] =}
# reales, y el intervalo va de {= exam["low"]["solo los borrosos"] : .2f =} a {= exam["high"]["solo los borrosos"] :
# .2f =}. Tómalo como «peor», no como un número.
#
# ¿Son las caras borrosas difíciles para cualquier red? Esta no vio ningún recorte borroso en el entrenamiento, porque
# las lecciones quitaron ahí todos los que estaban por debajo de 30. <!-- holds: '"min_sharpness": 30.0' in
# (course.paths().run / "config.json").read_text() --> Así que puede ser que el desenfoque esconda las huellas, o que
# la red nunca aprendiera a verlas ahí. No podemos decir cuál de las dos. En ambos casos un recorte de prueba borroso
# no es una pregunta mal hecha: es lo que mandará alguien con un teléfono que tiembla. Si lo quitas, dilo junto al
# número, o construye un detector que responda «no se puede decir» y cuenta esas respuestas. Por eso
# `quality.filter_blurred` quita solo recortes de entrenamiento, a menos que nombres otra partición.

# %% [markdown]
# ## Reto abierto
#
# Encuentra una medida de nitidez que ordene las seis caras de la sección 4 como lo harías tú. Nadie tiene una
# respuesta de referencia. Lo has conseguido si el ruido ya no la sube, la mitad del contraste no la deja en un
# cuarto, y las dos fotografías de la sección 5 comparten una colina.

# %% [markdown]
# ## Preguntas

# %%
course.quiz("03")

# %% [markdown]
# ## Ideas equivocadas
#
# - *«30 es una propiedad del desenfoque».* Pertenece a un tamaño de recorte, un códec y una cámara. Cortada a 80 px
#   en vez de 320, la misma cara puntúa {= factor : .0f =} veces más.
# - *«Un filtro solo quita datos malos».* Quita los datos de alguien. Si quita más de una clase, es una fuga de la
#   etiqueta; si quita más de una cámara, es un sesgo (bias).
# - *«Las imágenes con ruido parecen poco nítidas, así que el filtro las quitará».* El ruido sube el número.
# - *«Un conjunto de prueba más limpio es mejor».* Es más fácil.

# %% [markdown]
# ## Resumen
#
# - El laplaciano responde donde el brillo se dobla; su varianza es un solo número para la nitidez.
# - El tamaño lo mueve tanto como el desenfoque; también lo mueven el contraste, el ruido y la compresión. Fija el
#   tamaño, mira el histograma, y después elige.
# - Cuenta lo que sale, por clase y por método, antes de dejarlo salir.
# - Trata las dos clases igual. Deja en paz la partición de prueba, o di qué quitaste.
#
# **Lo que esto le habría dicho al equipo.** «Por debajo de 30» no decía nada del desenfoque mientras no nombraran el
# tamaño del recorte, y una tabla de quién perdía recortes habría mostrado si su filtro le había dicho la etiqueta a
# la red.

# %% [markdown]
# ## Lo que sigue
#
# [04 · An honest data set](../04_honest_data_set.ipynb) (en inglés): la exactitud de validación del equipo es del 96
# %. ¿Cuánto vale?

# %% [markdown]
# <details><summary>Para quien enseña esta lección</summary>
#
# Dibuja en la pizarra una fila de píxeles como una escalera, deja que la sala calcule izquierda + derecha − dos veces
# el centro para una pendiente y para un escalón, luego suaviza el escalón y calcula otra vez. La sala se atasca en
# dos lugares: por qué el ruido *sube* el número (escribe 20 *s*² junto al núcleo, peso por peso), y en la sección 7,
# donde alguien objeta que nadie desenfocaría una sola clase. Pregúntales cómo se hicieron sus propios archivos reales
# y falsos: ¿con el mismo programa, guardados por la misma persona? Si faltan diez minutos, deja fuera c40 en la
# sección 6 y «Lo que añade el ruido»; nunca la tabla de lo descartado.
#
# </details>

# %% [markdown]
# ## Fuentes
#
# - J. L. Pech-Pacheco, G. Cristóbal, J. Chamorro-Martínez, J. Fernández-Valdivia: *Diatom autofocusing in brightfield
#   microscopy: a comparative study.* ICPR 2000. La varianza del laplaciano como medida de enfoque.
# - S. Pertuz, D. Puig, M. A. Garcia: *Analysis of focus measure operators for shape-from-focus.* Pattern Recognition
#   46 (5), 2013. Treinta y seis medidas comparadas.
# - R. Geirhos et al.: *Shortcut learning in deep neural networks.* Nature Machine Intelligence 2, 2020. Por qué una
#   red toma la pista más fácil.
# - A. Rössler et al.: *FaceForensics++: Learning to detect manipulated facial images.* ICCV 2019. Las compresiones
#   c23 y c40.
