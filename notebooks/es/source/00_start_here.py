# ---
# jupyter:
#   torchfakes:
#     needs: [faces]
#     unlinked: [score]
# ---

# %% [markdown]
# # 00 · Empieza aquí
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/es/00_start_here.ipynb)
#
# **Diez caras, diez apuestas. Después sabrás cuánto aciertas al buscar fakes, cuánto acierta una red pequeña con las
# mismas caras, y en qué parte de la cara miró esa red.**
#
# - **Aprenderás a** juzgar diez caras y decir cuánto vale tu resultado, dibujar un mapa de calor (heat map) y decir
#   qué no demuestra, compararte con un modelo y con una moneda, y contar cuánto vale una alarma cuando los fakes son
#   raros.
# - **Necesitas** Python hasta bucles y funciones. Ni GPU, ni datos, ni estadística.
# - **Tiempo:** unos 20 min de lectura, 25 min de ejercicios, 60 s de ejecución en dos núcleos de CPU. La primera vez
#   tarda unos dos minutos más, mientras se hacen los videos.
#
# Ejecuta las celdas con **Shift + Enter**, una tras otra. Después de hacer clic en una respuesta, haz clic en la
# celda siguiente y pulsa Shift + Enter. Si muchas celdas salen en rojo, arregla la primera y sigue desde ahí.
#
# Dos costumbres del curso: un video o una cara que alguien ha falsificado se llama **fake**, y lo contrario **real**,
# como en el código. Y los números van como los escribe Python: 0.5 es un medio y 1,000 son mil.

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

# %% [markdown]
# ## ¿Se nota?
#
# Algunas de estas diez personas fueron filmadas tal como son. De las otras ves un fake: alguien les ha cambiado la
# cara. En cada imagen pulsa **real** o **fake**. La verdad sale después de la décima respuesta.
#
# Las diez se hicieron deformando dos retratos, y eso no cuenta como fake. Busca lo que le hicieron a la cara
# *después*.

# %%
scores_of_ten = ["5 o menos", "6", "7", "8", "9 o 10"]
guess_right = course.predict("¿Cuántas de las diez vas a acertar?", options=scores_of_ten)

# %%
from torchfakes_utils.course import lesson_00

faces = course.faces_table("test")  # la primera vez se hacen videos y se recortan caras: unos dos minutos
training = lesson_00.train_meanwhile()  # una red aprende en segundo plano mientras juegas
ten = lesson_00.ten_faces(faces, seed=0, bent=lesson_00.distortions(faces["target_id"]))
game = lesson_00.play(ten)  # si la ejecutas otra vez, conserva tus respuestas
game.show()

# %% [markdown]
# ¿Lees sin ejecutar? Entonces decide primero las diez, en papel, y abre el desplegable. (Con *Run all*, tus clics
# esperan hasta que terminen las celdas de abajo. Mejor ve celda por celda.)
#
# Las respuestas nombran cuatro tipos de falsificación. En *Deepfakes* y *FaceSwap* se pone en el video la cara de
# otra persona. En *Face2Face* y *NeuralTextures* la cara se queda y se mueve, sobre todo en la boca. La lección 01
# cuenta más de cada una.

# %%
lesson_00.folded(game.figure("Las respuestas (los bordes discontinuos son fakes)", solved=True), "Las respuestas")

# %%
player, right = ("tú", game.right) if game.done else ("alguien de ejemplo", 7)
if game.done:
    guess_right.answer(scores_of_ten[min(max(right - 5, 0), 4)])
else:
    print(f"Nadie ha jugado todavía; {player} acierta {right}.")
fakes = ten[ten["label"] == 1]
print(f"{len(ten)} personas, {len(fakes)} de ellas fakes, de {fakes['method'].nunique()} tipos de falsificación")

# %% [markdown]
# Cuántas de las diez son fakes se dejó al azar, como si para cada una se hubiera lanzado una moneda. Esta vez lo son
# {= len(fakes) =}. <!-- holds: 3 <= len(fakes) <= 7 --> Nadie sale dos veces. Algunos fakes son fáciles, como unas
# gafas pintadas sobre los ojos de otra persona. En otros solo se ha movido una boca unos píxeles. Si no has jugado,
# abajo te sustituye alguien de ejemplo, con siete respuestas correctas.

# %% [markdown]
# ## ¿Quiénes son estas personas?
#
# No son nadie. El conjunto de datos (data set) más conocido del campo, FaceForensics++, se da solo a quien lo pide
# (lección 01). Por eso el curso hace uno propio y pequeño, **Mini-FF++**, a partir de dos retratos.

# %%
lesson_00.making_figure()

# %% [markdown]
# A la izquierda están los retratos de la astronauta Eileen Collins y de la contralmirante Grace Hopper, que escribió
# uno de los primeros compiladores. Cada uno se deforma como una lámina de goma y recibe otros tonos: así sale una
# persona nueva. A esa persona se la filma delante de una pared, moviendo la cabeza, con luz y ruido. A la derecha hay
# un fake de ese video, con la cara de la otra. Los bordes azules y continuos son reales, los naranjas y discontinuos
# son fakes, aquí y en todas las lecciones.
#
# Algunas de estas personas están más deformadas que cualquier cara. El juego toma sus caras reales de las menos
# deformadas. «Real» quiere decir: nadie ha falsificado este video. Los fakes son simples operaciones de imagen, no
# obra de redes neuronales. Así que cada número de abajo es cierto para Mini-FF++ y no dice nada de los deepfakes del
# mundo. Los métodos son los mismos.
#
# **¿De quién son estas caras?** Un deepfake daña a la persona cuya cara toma prestada; casi siempre esa persona no
# dio permiso. Estas dos mujeres tampoco lo dieron. Sus retratos son de uso libre, y los deformamos para practicar. No
# difundas los resultados como fotos de ellas, y no juzgues a ninguna persona real con lo que construyas aquí.
#
# **La historia de este curso.** Un equipo de un bootcamp tiene una sola laptop con una tarjeta gráfica vieja, una GTX
# 1070, y quiere enseñar a una red a distinguir deepfakes de caras reales. Tras 80 épocas (epochs, vueltas de
# entrenamiento) lee 96 % de exactitud de validación (validation accuracy): de las caras que no entraron en el
# entrenamiento, acierta tantas. Entonces abre el conjunto de prueba (test set), y la red dice *Real. Real. Real.*
# Cada lección te da una de las herramientas que los habrían ayudado.
#
# <details><summary>Las lecciones, y cómo funcionan</summary>
#
# | | Lección | La pregunta |
# |---|---|---|
# | 00 | Empieza aquí | ¿Se nota? |
# | 01 | Consigue FaceForensics++ | ¿De dónde salen fakes honestos? |
# | 02 | Encuentra la cara | ¿Cómo mira una red a todas partes a la vez? |
# | 02b | De videos a caras | ¿Quién se pierde por el camino? |
# | 03 | ¿Bastante nítida? | ¿Qué le falta a una cara borrosa? |
# | 04 | Un conjunto de datos honesto | ¿Cómo puede un 99 % no valer nada? |
# | 05 | Ajuste fino (fine-tuning) | ¿Cuánto vale un buen comienzo? |
# | 05b | Profunda y grande | ¿Por qué pueden aprender cien capas? |
# | 06 | ¿Es buena? | ¿Buena para quién? |
# | 06b | ¿Con qué seguridad? | ¿Cuánto puede fallar un número? |
# | 07 | ¿Dónde mira? | ¿Aprendió caras, u otra cosa? |
# | 08 | Real, Real, Real | ¿Qué se rompió? |
# | 09 | Compártela | ¿Qué le debes a quien te confía una cara? |
# | 09b | El proyecto final | ¿Cuánto vale tu trabajo? |
# | 12 | Teléfono y navegador | ¿Qué es un modelo sin Python? |
#
# (10, 11 y 13 aún no están escritas. En español están la 00 y la 03; las otras, en inglés.)
#
# Una lección hace una pregunta, tú predices, escribes la idea en pocas líneas, y después la lección llama a la
# función de `torchfakes_utils` que lo hace bien. Un hueco que dejes vacío nunca detiene una lección. Cada lección va
# por su cuenta y construye lo que necesita. Rompe cosas; *Restart* lo cura.
#
# </details>

# %% [markdown]
# ## ¿Dónde miró una red?
#
# Mientras jugabas, una red pequeña aprendió de {= lesson_00.LEARNED_FROM =} recortes (crops) de otras personas.
# Empezó con lo que sabía de imágenes corrientes. A cada cara le da un número entre 0 y 1, P(fake), y decimos «fake» a
# partir de 0.5.
#
# Este es el fake del que la red está más segura.

# %%
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.explanation.heat_maps import grad_cam, inputs

model = lesson_00.first_detector(training)  # espera hasta que haya aprendido
ten["probability_fake"] = score(model, ten)["probability_fake"].to_numpy()
surest = int(ten["probability_fake"].where(ten["label"] == 1).argmax())
photos = [plots.face(file) for file in ten["file"]]
message = f"Cara {surest + 1} del juego: P(fake) es {ten['probability_fake'][surest]:.2f}"
plots.images([photos[surest]], [f"falsificada: {ten['method'][surest]}"], title=message, labels=[1], inches=3)

# %% [markdown]
# **Grad-CAM** pregunta en qué parte de la imagen encontró la red apoyo para su respuesta. Lo construirás en la
# lección 07; aquí es una sola llamada.

# %%
guess_look = course.predict("¿Qué parte de ese fake brillará más?", options=list(lesson_00.PARTS))

# %%
maps = grad_cam(model, inputs(model, ten), target="own")  # (10, S, S), de 0 a 1
titles = [f"cara {surest + 1}", "su mapa de calor"]
message = f"El mapa de calor de la cara {surest + 1}, llamada fake"
lesson_00.heat_figure([photos[surest]] * 2, [None, maps[surest]], titles, [1, 1], message, columns=2)

# %%
part = lesson_00.brightest(maps[surest], ten["landmarks"][surest])
guess_look.answer(part)

# %% [markdown]
# A la izquierda, la cara {= surest + 1 =} del juego, un fake hecho con {= ten["method"][surest] =}. A la derecha, la
# misma cara: el brillo está donde Grad-CAM encontró apoyo para la respuesta, y la línea blanca marca la mitad de su
# fuerza. Donde más brilla es en esta parte: {= part =}. Aquí están las diez, cada una con el apoyo para la respuesta
# que recibió.

# %%
said = (ten["probability_fake"] >= 0.5).astype(int)
labels, titles = ten["label"].tolist(), []
for number, (answer, label) in enumerate(zip(said, labels, strict=True), 1):
    titles.append(f"{number}: dijo {plots.NAMES[answer]}, es {plots.NAMES[label]}")
lesson_00.heat_figure(photos, list(maps), titles, labels, "El apoyo para cada respuesta, correcta o no")

# %% [markdown]
# Cada brillo parece una razón. Mira ahora las respuestas equivocadas, si las hay, y los brillos fuera de la cara.
# (Una cara sin brillo dice que Grad-CAM no encontró apoyo para la respuesta, que se dio de todos modos.) Una red que
# *nunca se ha entrenado* también da imágenes así. La lección 07 pone las dos una al lado de la otra. Así que un mapa
# de calor es una pregunta para ti, no una respuesta.

# %% [markdown]
# ## Acertaste siete. ¿Qué dice eso de ti?
#
# Digamos que acertaste siete de diez. Con otras diez caras habrían sido seis, o nueve. Entonces, ¿qué dice un siete?
# Empieza con alguien que no ve nada: una moneda juega tu juego. Cada fila de `games` es un juego, cada columna una
# cara, y True es un acierto.

# %%
import numpy as np

rng = np.random.default_rng(0)
games = rng.random((10_000, 10)) < 0.5  # acierta con probabilidad un medio
print(games[:2].astype(int))

# %%
guess_coin = course.predict("De 100 juegos así, ¿en cuántos acierta la moneda siete o más?", 0, 100)

# %% [markdown]
# ### Te toca · Una moneda juega tu juego
#
# *5 min, dificultad 1 de 3.* Cuenta: ¿en qué proporción de los juegos hay al menos `right` aciertos? `games` tiene
# una fila por juego. Con los tres juegos `[[1, 1, 0], [0, 0, 1], [1, 1, 1]]` y `right=2` es 2/3. Basta un bucle.


# %%
def games_at_least(games: np.ndarray, right: int) -> float:
    """La proporción de los juegos, (G, N) True o False, con al menos `right` aciertos."""
    # your code here: tu código aquí


course.check(lesson_00.GAMES_AT_LEAST, games_at_least)
games_at_least = course.yours(lesson_00.GAMES_AT_LEAST, games_at_least)

# %% [markdown]
# <details><summary>Una solución</summary>
#
# ```python
# def games_at_least(games, right):
#     won = 0
#     for game in games:
#         if sum(game) >= right:
#             won += 1
#     return won / len(games)
# ```
#
# </details>

# %%
seven_or_more = games_at_least(games, 7)
guess_coin.answer(100 * seven_or_more)
lesson_00.coin_figure(games, 7)

# %% [markdown]
# Cada barra es un resultado, y su altura, la proporción de los juegos que acaban con él. Las negras son siete y más:
# una moneda llega tan alto en {= 100 * seven_or_more : .0f =} de cada 100 juegos. <!-- holds: 0.15 < seven_or_more <
# 0.2 --> Así que siete de diez puede ser habilidad, y puede ser suerte.
#
# ¿Qué habilidades podrían haberlo dado? Aquí hay alguien por cada habilidad de 0 a 1. `results[0.7]` guarda los
# resultados de quien acierta siete caras de diez *a la larga*, en 2000 juegos de diez caras.

# %%
skills = np.round(np.linspace(0, 1, 51), 2).tolist()
results = {skill: (rng.random((2000, 10)) < skill).sum(axis=1).tolist() for skill in skills}
print("habilidad 0.2:", results[0.2][:8], "  habilidad 0.7:", results[0.7][:8])

# %% [markdown]
# ### Te toca · ¿Qué habilidades podrían haber dado esto?
#
# *8 min, dificultad 2 de 3.* Quédate con una habilidad si tu resultado no es una sorpresa para ella: al menos uno de
# cada cuarenta de sus juegos (0.025) acaba con `right` **o más**, y al menos uno de cada cuarenta con `right` **o
# menos**. Devuelve la menor y la mayor habilidad con las que te quedas. `results` es un diccionario de habilidad a
# resultados; sus habilidades vienen sin orden.


# %%
def possible_skills(results: dict[float, list[int]], right: int) -> tuple[float, float]:
    """La menor y la mayor habilidad para las que el resultado `right` no es una sorpresa."""
    # your code here: tu código aquí


course.check(lesson_00.POSSIBLE_SKILLS, possible_skills)
possible_skills = course.yours(lesson_00.POSSIBLE_SKILLS, possible_skills)

# %% [markdown]
# <details><summary>Una solución</summary>
#
# ```python
# def possible_skills(results, right):
#     kept = []
#     for skill, scores in results.items():
#         as_high = sum(score >= right for score in scores) / len(scores)
#         as_low = sum(score <= right for score in scores) / len(scores)
#         if as_high >= 0.025 and as_low >= 0.025:
#             kept.append(skill)
#     return min(kept), max(kept)
# ```
#
# </details>

# %%
low, high = possible_skills(results, 7)
exact_low, exact_high = lesson_00.interval(7, 10)
print(f"jugando:  {low:.2f} a {high:.2f}")
print(f"contando: {exact_low:.3f} a {exact_high:.3f}")

# %% [markdown]
# Dos líneas, una idea. La primera sale de jugar. La segunda, `lesson_00.interval`, cuenta todos los juegos posibles
# en vez de jugar algunos (Clopper y Pearson, 1934). Coinciden, hasta donde lo permiten los pasos de 0.02 entre
# habilidades y la suerte de 2000 juegos. <!-- holds: abs(low - exact_low) < 0.05 and abs(high - exact_high) < 0.05
# -->
#
# Esto es un **intervalo del 95 %**: cada habilidad dentro de él bien podría haber dado siete de diez. Uno de cada
# cuarenta juegos es el 2.5 %, y dejamos fuera otros tantos en cada extremo: en total, el 5 %. Va desde un tercio, más
# o menos, hasta más de nueve de cada diez, y la habilidad de una moneda, un medio, queda bien adentro. <!-- holds:
# 0.3 < exact_low < 0.4 and exact_high > 0.9 and low < 0.5 < high -->

# %% [markdown]
# ## ¿Eres mejor que el modelo?
#
# La red ha juzgado las mismas diez caras, y otros videos de personas de las que no aprendió. Cada marca de abajo es
# una cara en la primera fila, y un video entero en la segunda.

# %%
real_films = faces.loc[faces["label"] == 0, "clip_id"].nunique()
guess_films = course.predict(f"¿A cuántos de los {real_films} videos reales llamará reales el modelo?", 0, real_films)

# %%
from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.metrics.binary import by_clip

scores = score(model, limit_frames(faces, 3))  # tres fotogramas de cada video
films = by_clip(scores)  # la media de sus fotogramas
groups = {"las diez": ten, "videos": films}
rows = [(name, table["probability_fake"], table["label"]) for name, table in groups.items()]
lesson_00.strips(rows, "Un buen modelo manda lo real a la izquierda y lo falso a la derecha")

# %%
model_right = int((said == ten["label"]).sum())
rows = [(player, right, len(ten), "black"), ("el modelo, las mismas diez", model_right, len(ten), "black")]
for label, name in enumerate(plots.NAMES):
    called_fake = films.loc[films["label"] == label, "probability_fake"] >= 0.5
    correct = int((called_fake == label).sum())
    rows.append((f"el modelo, videos: {name}", correct, len(called_fake), plots.COLOURS[label]))
(_, reals_right, reals, _), (_, fakes_right, fake_films, _) = rows[2:]
guess_films.answer(reals_right)
print(f"En las diez, el modelo acierta {model_right}, y {player} {right}.")
lesson_00.score_card(rows, "Diez caras dejan una línea larga")

# %% [markdown]
# Los círculos son reales, las cruces son fakes; las marcas que están al lado equivocado de 0.5 son errores. En la
# segunda figura cada punto es una proporción de aciertos, y cada línea su intervalo. Compara las dos líneas negras.
# Con alguien de ejemplo que acierta siete, comparten más de la mitad de su longitud. <!-- holds:
# min(lesson_00.interval(model_right, 10)[1], exact_high) - max(lesson_00.interval(model_right, 10)[0], exact_low) >
# 0.5 * (exact_high - exact_low) --> (Si no has jugado, su línea es la primera.) Donde se solapan tanto, diez caras no
# pueden decir quién es mejor, vaya quien vaya por delante. La lección 05 tiene una prueba más fina: un intervalo de
# la diferencia.
#
# En videos, el modelo acierta {= reals_right =} de {= reals =} reales y {= fakes_right =} de {= fake_films =} fakes.
# Hay cuatro veces más fakes, <!-- holds: fake_films == 4 * reals --> y su línea es la más corta. <!-- holds:
# lesson_00.interval_length(fakes_right, fake_films) < lesson_00.interval_length(reals_right, reals) --> Reales y
# fakes tienen cada uno su línea a propósito: la sección siguiente muestra por qué. Y contamos *videos*, no fotogramas
# (frames, las imágenes sueltas de un video). Diez fotogramas de un video son casi una sola imagen; contados como
# diez, harían la línea más corta sin decir más.

# %% [markdown]
# ## ¿La alarma de un detector del «95 %» acierta el 95 % de las veces?
#
# Un detector acierta en el 95 % de los videos reales y en el 95 % de los fakes. Trabaja en una plataforma donde un
# video de cada 1000 es un fake. Y da una alarma.

# %%
likely = ["95 %", "50 %", "20 %", "2 %"]
guess_alarm = course.predict("¿Cuál es la probabilidad de que este video sea un fake?", options=likely)

# %%
truth = (np.arange(100_000) % 1000 == 0).astype(int)  # 1 es fake: un video de cada 1000
said_so = np.where(rng.random(len(truth)) < 0.95, truth, 1 - truth)  # acierta en el 95 %; 1 es una alarma
print(f"{len(truth):,} videos, {truth.sum()} de ellos fakes, {said_so.sum():,} alarmas")

# %% [markdown]
# ### Te toca · Cuánto vale una alarma
#
# *5 min, dificultad 1 de 3.* De todas las alarmas, ¿qué proporción es correcta? `truth` es 1 para un video falso,
# `said` es 1 para una alarma. Con `truth = [1, 0, 0, 1]` y `said = [1, 1, 0, 0]` es 1/2: dos alarmas, una de ellas
# por un fake.


# %%
def right_alarms(truth: np.ndarray, said: np.ndarray) -> float:
    """La proporción de las alarmas que es correcta; ambos (N,), 1 es fake y 1 es una alarma."""
    # your code here: tu código aquí


course.check(lesson_00.RIGHT_ALARMS, right_alarms)
right_alarms = course.yours(lesson_00.RIGHT_ALARMS, right_alarms)

# %% [markdown]
# <details><summary>Una solución</summary>
#
# ```python
# def right_alarms(truth, said):
#     alarms = right = 0
#     for fact, answer in zip(truth, said):
#         if answer == 1:
#             alarms += 1
#             right += fact
#     return right / alarms
# ```
#
# </details>

# %%
worth = right_alarms(truth, said_so)
on_fakes, on_reals = int(said_so[truth == 1].sum()), int(said_so[truth == 0].sum())
print(f"{on_fakes:,} alarmas por fakes, {on_reals:,} por videos reales: el {worth:.1%} de las alarmas son correctas")
print(f"aciertos en total: {(said_so == truth).mean():.1%}; sin ninguna alarma: {(truth == 0).mean():.1%}")
guess_alarm.answer("2 %")

# %% [markdown]
# El detector encuentra {= on_fakes =} de {= truth.sum() =} fakes. También da {= on_reals : , =} falsas alarmas,
# porque hay muchísimos videos reales. Así que una alarma es correcta alrededor del 2 % de las veces. <!-- holds:
# 0.015 < worth < 0.023 --> Las respuestas del detector, tomadas todas juntas, siguen acertando el 95 %. <!-- holds:
# abs((said_so == truth).mean() - 0.95) < 0.005 --> Pero ese número dice poco aquí: un detector que nunca da una
# alarma acierta en el {= (truth == 0).mean() : .1% =} de estos videos, y no encuentra ningún fake.
#
# Mueve los controles. La barra muestra lo que se espera sin suerte: {= 0.05 * 99_900 : ,.0f =} falsas alarmas, donde
# este sorteo dio {= on_reals : , =}. <!-- holds: abs(on_reals - 4995) < 300 --> ¿Cuánto tiene que acertar el detector
# para que sea correcta una de cada dos alarmas, con un fake entre 1000?

# %%
from torchfakes_utils.course import widgets

widgets.explore(
    lesson_00.alarms,
    labels={"percent_right": "aciertos, en %"},
    percent_right=(50.0, 99.9, 0.1, 95.0),
    one_in=lesson_00.prevalence_slider(),
)

# %% tags=["nbval-check-output"]
import pandas as pd

table = {}
for skill in (0.95, 0.99, 0.999):
    shares = {f"1 entre {n:,}": lesson_00.alarm_is_right(skill, skill, 1 / n) for n in (2, 10, 100, 1000, 10_000)}
    table[f"acierta el {100 * skill:g} %"] = pd.Series(shares).map("{:.1%}".format)
pd.DataFrame(table).rename_axis("fakes")

# %% [markdown]
# Cada número es la proporción de las alarmas que son correctas. En la primera columna el detector no cambia, y su
# alarma vale 95 % arriba, y 2 % o menos desde la cuarta fila. <!-- holds: round(lesson_00.alarm_is_right(0.95, 0.95,
# 1 / 1000), 2) == 0.02 --> A lo largo de la fila de uno entre 1000 sube de {= lesson_00.alarm_is_right(0.95, 0.95,
# 0.001) : .0 % =} a {= lesson_00.alarm_is_right(0.999, 0.999, 0.001) : .0 % =}. Así que cuentan las dos cosas: lo
# raros que son los fakes, y lo raro que es que el detector se equivoque.
#
# Un detector que acierta en el 95 % de ambas clases lo hace sea cual sea la proporción de fakes; lo que cambia es el
# valor de su alarma. El 96 % del equipo era todavía más débil. Era un solo número para una *mezcla* de 3.8 fakes por
# cada cara real, y responder «fake» a todo da allí {= 3.8 / 4.8 : .0 % =}.

# %% [markdown]
# ## Reto abierto
#
# ¿Puedes subir tu propio resultado? Mira pares de caras de entrenamiento con
# `plots.faces_grid(course.faces_table("train"), 4, seed=…)`, escribe tres reglas y juega otros juegos:
# `lesson_00.another_game(1).show()`, luego 2, y así. Ninguno vuelve a mostrar un video. Lo has conseguido si los
# intervalos de tus juegos de antes y de después ya no se solapan. ¿Cuántas caras hacen falta?
#
# <details><summary>Una respuesta</summary>
#
# Para ver un paso del 60 % al 80 %, unas 100 caras antes y 100 después. Los intervalos van entonces de {=
# lesson_00.interval(60, 100)[0] : .2f =} a {= lesson_00.interval(60, 100)[1] : .2f =} y de {= lesson_00.interval(80,
# 100)[0] : .2f =} a {= lesson_00.interval(80, 100)[1] : .2f =}. <!-- holds: lesson_00.interval(60, 100)[1] <
# lesson_00.interval(80, 100)[0] --> Con tu primer juego y los juegos 1 a 5 tienes 60 caras; después se acaban los
# videos reales. <!-- holds: len(lesson_00.another_game(5).faces) == 10 --> Con 30 antes y 30 después solo se ve un
# paso mayor, como uno del 50 % al 90 %: de {= lesson_00.interval(15, 30)[0] : .2f =} a {= lesson_00.interval(15,
# 30)[1] : .2f =} y de {= lesson_00.interval(27, 30)[0] : .2f =} a {= lesson_00.interval(27, 30)[1] : .2f =}. <!--
# holds: lesson_00.interval(15, 30)[1] < lesson_00.interval(27, 30)[0] -->
#
# </details>

# %% [markdown]
# ## Preguntas

# %%
course.quiz("00")

# %% [markdown]
# ## Ideas equivocadas
#
# - *«Acertar el 95 % quiere decir que el 95 % de sus alarmas son correctas».* Solo donde la mitad de los videos son
#   fakes. Con un fake entre 1000, lo son el 2 %.
# - *«Siete de diez es el 70 %».* Es cualquier cosa entre un 35 % y un 93 %, más o menos.
# - *«La red miró la boca, así que la boca es falsa».* El mapa dice dónde había apoyo para su respuesta. Solo una
#   máscara dice dónde trabajó quien falsificó.
#
# ## Resumen
#
# - Un resultado necesita su número de intentos. Un intervalo del 95 % contiene cada habilidad para la que el
#   resultado no es una sorpresa.
# - Cuenta videos, no fotogramas, y reales y fakes por separado.
# - Cuánto vale una alarma depende tanto de lo raros que son los fakes como del detector.
# - Un mapa de calor se dibuja pronto. Si explica algo, hay que comprobarlo (lección 07).
#
# **Lo que esto le habría dicho al equipo.** Con 3.8 fakes por cada cara real, «siempre fake» ya acierta el {= 3.8 /
# 4.8 : .0 % =}; así que habrían pedido por separado los aciertos en caras reales y en fakes antes de fiarse del 96 %.
#
# ## Lo que sigue
#
# [01 · Get FaceForensics++](../01_get_faceforensics.ipynb) (en inglés): de dónde salen fakes honestos, qué significa
# `000_003`, y por qué repartir al azar no es repartir con justicia. En español sigue [03 · ¿Bastante
# nítida?](03_sharp_enough.ipynb)

# %% [markdown]
# <details><summary>Para quien enseña esta lección</summary>
#
# Juega primero con toda la sala, a mano alzada, y escribe en la pizarra las diez respuestas de la mayoría: la sala,
# como una sola persona, también tiene un intervalo. Dibuja 100,000 videos como una barra larga y 100 como un punto
# sobre ella. La sala siempre se atasca en «pero el detector no ha empeorado»: que alguien señale en la barra las
# falsas alarmas. El segundo ejercicio es el que más tarda; para quien no conoce los diccionarios, escribe `for skill,
# scores in results.items()` en la pizarra. Si faltan diez minutos, deja fuera «¿Eres mejor que el modelo?». Nunca
# dejes fuera las alarmas.
#
# </details>
#
# ## Fuentes
#
# - C. J. Clopper, E. S. Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*,
#   Biometrika, 1934.
# - G. Gigerenzer, U. Hoffrage, *How to improve Bayesian reasoning without instruction: frequency formats*,
#   Psychological Review, 1995: por qué contamos videos en vez de multiplicar probabilidades.
# - A. Rössler et al., *FaceForensics++: learning to detect manipulated facial images*, ICCV 2019.
# - R. R. Selvaraju et al., *Grad-CAM: visual explanations from deep networks via gradient-based localization*, ICCV
#   2017.
# - M. Tan, Q. Le, *EfficientNet: rethinking model scaling for convolutional neural networks*, ICML 2019: la red
#   pequeña, en su variante Lite (R. Liu, blog de TensorFlow, 2020).
# - Retratos: Eileen Collins, NASA; Grace Hopper, Marina de Estados Unidos; ambos de dominio público.
